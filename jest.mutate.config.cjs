// What a mutation run may use: tests that need neither privilege nor the built executable, and the contract suites.
const { projects } = require("./jest.config.cjs");

const unit = projects.find(({ displayName }) => displayName === "unit");
module.exports = { ...unit, testMatch: [...unit.testMatch, "<rootDir>/test/contract/ipam-service.test.ts"] };
