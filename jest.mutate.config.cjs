// What a mutation run may use: tests that need neither privilege nor the built executable, and the contract suites.
const { projects } = require("./jest.config.cjs");

const unit = projects.find(({ displayName }) => displayName === "unit");
module.exports = {
  ...unit,
  // Those of bench, conf, tools and test/model reach nothing that is mutated, or nothing that others do not reach.
  testMatch: [
    "<rootDir>/{lib,plugins,ipam-server,agent,cli}/**/*.test.ts",
    "<rootDir>/test/contract/ipam-service.test.ts",
  ],
  // Every test runs through the faults that are not active, on a machine that may do other things.
  testTimeout: 20_000,
  runner: "<rootDir>/tools/mutation/runner.cjs",
};
