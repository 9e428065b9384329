// Mutation run over what unit and contract tests reach: ./build.sh mutate [PATHS]. Not for CI: it takes hours.
export default {
  testRunner: "jest",
  plugins: ["@stryker-mutator/jest-runner"],
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
  timeoutMS: 20_000,
  reporters: ["clear-text", "progress", "html"],
  htmlReporter: { fileName: ".mutation/report.html" },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 95, low: 85, break: null },
};
