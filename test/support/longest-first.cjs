/**
 * The order of the test files: those that failed the last time first, then those that take longest, so that no worker is left alone
 * with one of them at the end.
 *
 * Jest remembers how long a file took here. Of one that has not run yet, as all on a fresh clone, its project tells enough: what calls
 * the packaged executables takes many times as long as what does not, and the larger file is likely to take longer.
 */
const Sequencer = require("@jest/test-sequencer").default;

/** How long a file of a project takes, roughly. */
const GUESS_MS = { e2e: 20_000, resident: 20_000, netns: 5_000, unit: 1_000 };
/** Files that take minutes, which neither their size nor their project tells. */
const MINUTES = ["test/faults/random-histories.test.ts"];

class LongestFirst extends Sequencer {
  sort(tests) {
    // Sets the known durations; a sort that is stable keeps its order where ours has none.
    return super.sort(tests).sort((a, b) => this.#weight(b) - this.#weight(a));
  }

  #weight(test) {
    const { path, duration, context } = test;
    if (this.hasFailed(test)) return Number.MAX_SAFE_INTEGER;
    if (MINUTES.some((file) => path.endsWith(file))) return Number.MAX_SAFE_INTEGER - 1;
    return duration ?? GUESS_MS[context.config.displayName?.name] ?? 0;
  }
}

module.exports = LongestFirst;
