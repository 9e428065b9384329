// Mutation run over what unit and contract tests reach: ./build.sh mutate. Not for CI: all faults take hours.
import { resolve } from "node:path";

const reachingTestsFile = resolve(`.mutation/reaching-tests-${process.pid}.json`);
// The processes that run tests inherit it: tools/mutation/runner.cjs reads the file.
process.env.FAIRLEAD_REACHING_TESTS = reachingTestsFile;
const { FAIRLEAD_MUTATION_SAMPLE: count, FAIRLEAD_MUTATION_SEED: seed } = process.env;

export default {
  testRunner: "jest",
  plugins: ["@stryker-mutator/jest-runner", "./tools/mutation/stryker-plugin.ts"],
  mutation: { reachingTestsFile, sample: count ? { count: Number(count), seed: Number(seed) } : null },
  // One project of the present configuration, on the Node that ships in node_modules.
  jest: { projectType: "custom", configFile: "jest.mutate.config.cjs", enableFindRelatedTests: true },
  testRunnerNodeArgs: ["--experimental-ffi", "--no-warnings"],
  coverageAnalysis: "perTest",
  mutate: ["{ipam-server,lib/ipam,lib/cni,plugins,agent}/**/*.ts", "!**/*.test.ts", "!plugins/front/**"],
  // A constant of a module is made once for all tests: each fault in one would cost a run of every test.
  ignoreStatic: true,
  // It would rewrite paths in it by an interface that TypeScript 7 does not have; tests do not read it.
  tsconfigFile: "none.json",
  // Texts of messages are most of the literals; one that decides something is found by its condition.
  mutator: { excludedMutations: ["StringLiteral"] },
  // The sandbox is a copy; what is built, or fetched, is not needed in it.
  ignorePatterns: ["dist", "bench", "docs", "reports", ".mutation"],
  symlinkNodeModules: true,
  incremental: true,
  incrementalFile: ".mutation/incremental.json",
  tempDirName: ".mutation/sandbox",
  concurrency: 2,
  // Of the whole of it. On a machine that does other things as well, it is much more than the tests take by themselves.
  dryRunTimeoutMinutes: 30,
  // Ours first: it changes the plan that the others count.
  reporters: ["mutation", "clear-text", "progress", "html"],
  htmlReporter: { fileName: ".mutation/report.html" },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 95, low: 85, break: null },
};
