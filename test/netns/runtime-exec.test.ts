/** The real way of running plugins takes the exam of test/contract, and limits their time. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processExec } from "../../lib/runtime/process-exec.ts";
import { pluginExecContract } from "../contract/plugin-exec.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fl-exec-"));
  const program = (name: string, line: string, mode = 0o755): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${line}\n`);
    chmodSync(join(folder, name), mode);
  };
  program("echo", "exec /bin/cat");
  program("env", 'printf %s "$CNI_COMMAND"');
  program("fail", "printf no; exit 3");
  // One process, so that nothing of it outlives it. It would end by itself, and tell.
  program("hang", `exec /bin/bash -c 'read -t 30 <>"$0/hold"; echo >"$0/survived"' ${folder}`);
  execFileSync("mkfifo", [join(folder, "hold")]);
  program("data", "", 0o644);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

pluginExecContract("processes", () => ({ exec: processExec(), path: (name) => join(folder, name) }));

test("a plugin that hangs is killed and reported", () => {
  const hang = { path: join(folder, "hang"), env: {}, stdin: new Uint8Array() };
  expect(() => processExec({ timeoutMs: 200 }).execFile(hang)).toThrow(
    expect.objectContaining({ code: "timeout" }),
  );
  expect(existsSync(join(folder, "survived"))).toBe(false);
});
