// Tests run on the Node that ships in node_modules (26: node:sqlite and node:ffi), never on the system's.
const transform = {
  "^.+\\.(t|j|m?j)s$": [
    "@swc/jest",
    { jsc: { target: "es2023", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
  ],
};
const { availableParallelism } = require("node:os");

const common = {
  rootDir: __dirname,
  transform,
  // Node has no such module. Nothing calls the stand-in: lib/linux takes node:ffi there.
  moduleNameMapper: { "^bun:ffi$": "<rootDir>/test/support/no-bun-ffi.ts" },
  testPathIgnorePatterns: ["/node_modules/", "/dist/"],
  // A mutation run's copies of all this.
  modulePathIgnorePatterns: ["<rootDir>/\\.mutation/"],
};
module.exports = {
  // Only for what hangs: on a busy machine everything takes many times as long. Of a project it would be passed over.
  testTimeout: 60_000,
  // Most of the time tests wait: for processes, daemons, the kernel. So there is one more than processors. Every file has namespaces,
  // folders and names of its own.
  maxWorkers: availableParallelism() + 1,
  testSequencer: `${__dirname}/test/support/longest-first.cjs`,
  projects: [
    // Pure code: no privilege, no kernel, no built executable.
    {
      ...common,
      displayName: "unit",
      testMatch: ["<rootDir>/{lib,plugins,ipam-server,agent,cli,conf,tools,bench,test/model}/**/*.test.ts"],
    },
    // Our code against the real kernel, in network namespaces of the test's own. Needs root.
    { ...common, displayName: "netns", testMatch: ["<rootDir>/test/{netns,contract}/**/*.test.ts"] },
    // The packaged executables under plain exec, containerd, CRI and podman. Needs root and dist/bin.
    { ...common, displayName: "e2e", testMatch: ["<rootDir>/test/{e2e,conformance,faults}/**/*.test.ts"] },
    // The conformance suite once more, with resident workers that run the plugins. Needs root and dist/bin.
    {
      ...common,
      displayName: "resident",
      testMatch: ["<rootDir>/test/conformance/**/*.test.ts"],
      setupFiles: ["<rootDir>/test/support/plugins/with-workers.ts"],
    },
  ],
};
