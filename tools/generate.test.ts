import { spawnSync } from "node:child_process";
import { join } from "node:path";

test("the generated code is that of the protocol", () => {
  const arguments_ = ["--no-warnings", join(__dirname, "generate.ts"), "--check"];
  const { status, stderr } = spawnSync(process.execPath, arguments_, { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
}, 60_000);
