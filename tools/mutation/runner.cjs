/**
 * Jest's runner in a mutation run: for one fault it runs the test files that reach it, in the order in which they stand
 * there, and ends with the first that finds it. Without a fault (the dry run) it runs what Jest has found.
 */
const { readFileSync } = require("node:fs");
const { relative } = require("node:path");
const { default: TestRunner } = require("jest-runner");

module.exports = class extends TestRunner {
  /** @param {{path: string}[]} tests */
  async runTests(tests, watcher, options) {
    const reaching = reachingTests();
    if (reaching === undefined) return super.runTests(tests, watcher, options);
    const stop = () => watcher.setState({ interrupted: true });
    this.on("test-file-success", ([, { numFailingTests }]) => (numFailingTests > 0 ? stop() : undefined));
    this.on("test-file-failure", stop);
    const byFile = new Map(tests.map((test) => [relative(process.cwd(), test.path), test]));
    const wanted = reaching.map((file) => byFile.get(file));
    if (wanted.includes(undefined)) throw new Error(`not all of these test files are there: ${reaching}`);
    return super.runTests(wanted, watcher, options);
  }
};

/** The same for all faults of a run: read once by each process that runs tests. */
let known;
function reachingTests() {
  const fault = process.env.__STRYKER_ACTIVE_MUTANT__;
  if (fault === undefined) return undefined;
  known ??= JSON.parse(readFileSync(process.env.FAIRLEAD_REACHING_TESTS, "utf8"));
  return known[fault];
}
