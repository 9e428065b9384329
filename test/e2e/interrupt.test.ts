/** Ctrl-C in the terminal of `fairlead dev`: the signal reaches the whole process group, and nobody may complain. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Lab } from "../support/lab/lab.ts";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab/lab-plugins.ts";
import { labEnvironment, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

let lab: Lab;

beforeAll(async () => {
  requireFairlead();
  lab = await Lab.open("interrupt");
});

afterAll(() => lab.close());

test.each([1, 2, 3, 4, 5])("ends in order, and says nothing but that (%i)", async (round) => {
  const run = lab.folder("run");
  const log = join(lab.directory, `dev${round}.log`);
  const places = ["--socket", join(run, "fairlead.sock"), "--state-dir", join(run, "state")];
  const argv = lab.inHost(
    join(FAIRLEAD_DIRECTORY, "fairlead"),
    "dev",
    ...places,
    "--cni-conf-dir",
    join(run, "net.d"),
  );
  const fd = openSync(log, "a");
  const [file = "", ...args] = argv;
  const dev = spawn(file, args, { stdio: ["ignore", fd, fd], detached: true, env: labEnvironment() });
  closeSync(fd);
  const ended = once(dev, "exit");
  try {
    expect(await waitUntil(async () => existsSync(join(run, "agent.sock")) && isReady(log), 30_000)).toBe(
      true,
    );
    process.kill(-(dev.pid ?? 0), "SIGINT");
    const [status] = await ended;
    const said = readFileSync(log, "utf8");
    expect(said.split("\n").filter((line) => /WARN|ERROR/.test(line))).toEqual([]);
    expect(status).toBe(0);
  } finally {
    if (dev.exitCode === null && dev.signalCode === null) process.kill(-(dev.pid ?? 0), "SIGKILL");
  }
});

function isReady(log: string): boolean {
  return readFileSync(log, "utf8").includes("plugin workers ready");
}
