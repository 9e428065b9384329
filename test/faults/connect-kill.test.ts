/** `fairlead network connect` killed at any moment: the next command finds what it began, and nothing is left in the end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import { labEnvironment, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

const SANDBOX = `killed-${process.pid}`;
/** Spread over the life of a connect, from before its first call to after its last. */
const KILL_AFTER_MS = [2, 6, 10, 14, 18, 22, 26, 30, 35, 40, 50, 60, 80];

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("ckill");
  node = await FairleadNode.start(lab, { reaper: false });
  await node.run("network", "create", "target");
  await node.run("sandbox", "create", "--network", "none", SANDBOX);
  await node.run("network", "disconnect", "none", SANDBOX);
});

afterAll(async () => {
  await node?.try("sandbox", "rm", "-f", SANDBOX);
  await lab.close();
});

interface NetworkContainers {
  readonly Containers: Readonly<Record<string, unknown>>;
}

async function members(): Promise<number> {
  const [found] = JSON.parse(await node.run("network", "inspect", "target")) as NetworkContainers[];
  return Object.keys(found?.Containers ?? {}).length;
}

async function connectAndKill(afterMs: number): Promise<void> {
  const [program = "", ...args] = node.argv(["network", "connect", "target", SANDBOX]);
  const child = spawn(program, args, { env: labEnvironment(), stdio: "ignore" });
  const ended = once(child, "exit");
  await sleep(afterMs);
  child.kill("SIGKILL");
  await ended;
}

/** A worker, or a plugin, that was at it when its caller was killed goes on to its end. */
async function settle(): Promise<void> {
  let before = -1;
  await waitUntil(async () => {
    const now = await members();
    const still = now === before;
    before = now;
    return still;
  }, 2_000);
}

test.each(KILL_AFTER_MS)(
  "killed after %i ms, connected again, disconnected: nothing is left",
  async (afterMs) => {
    await connectAndKill(afterMs);
    await settle();
    const again = await node.try("network", "connect", "target", SANDBOX);
    // It had come to its end, or this one makes it whole.
    if (again.status !== 0) expect(again.stderr).toContain("already exists in network target");
    expect(await members()).toBe(1);
    expect((await node.exec(SANDBOX, "ip", "-o", "link")).stdout.match(/eth\d/g)).toHaveLength(1);
    await node.run("network", "disconnect", "target", SANDBOX);
    expect([await members(), readdirSync(join(node.cacheFolder, "results"))]).toEqual([0, []]);
  },
);

test("killed, and the sandbox removed: nothing is left", async () => {
  await connectAndKill(20);
  await settle();
  await node.run("sandbox", "rm", SANDBOX);
  expect([await members(), readdirSync(join(node.cacheFolder, "results"))]).toEqual([0, []]);
  expect((await lab.hostLinks()).filter((name) => name.startsWith("veth"))).toEqual([]);
});
