/** What a client of the resident workers does while a worker takes its time. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryResident } from "../../lib/resident/client.ts";
import { waitUntil } from "../support/lab/lab-process.ts";

/** In another process: the client blocks this one. */
const STUCK_WORKER =
  "import socket,sys,time; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); c=s.accept(); time.sleep(30)";

const directory = mkdtempSync(join(tmpdir(), "fairlead-slow-"));
const socketPath = join(directory, "worker.sock");
let worker: ChildProcess;

beforeAll(async () => {
  worker = spawn("python3", ["-c", STUCK_WORKER, socketPath], { stdio: "ignore" });
  await waitUntil(async () => existsSync(socketPath), 10_000);
});

afterAll(() => {
  worker.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

test("a wait of more than a second is told once, and the plugin is left to the caller", () => {
  const told = jest.fn();
  const start = performance.now();
  const env = { CNI_COMMAND: "VERSION" };
  expect(
    tryResident({ socketPath, plugin: "fairlead-bridge", env, stdin: new Uint8Array(), onSlow: told }),
  ).toBeNull();
  expect(told).toHaveBeenCalledTimes(1);
  expect(performance.now() - start).toBeGreaterThan(1_900);
});
