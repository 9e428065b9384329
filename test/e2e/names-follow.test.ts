/** When a command that changes who is on a network returns, everybody there knows. */
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import { command, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(90_000);

const NETWORK = "follow";
const ROUNDS = 10;
/** Exit status of getent for a name that there is not. */
const NOT_FOUND = 2;

const own = (name: string): string => `${name}-${process.pid}`;

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("follow");
  // Server and agent apart, so that the agent alone can be held up.
  node = await FairleadNode.start(lab, { reaper: false });
  await node.run("network", "create", NETWORK);
  await node.run("sandbox", "create", "--network", NETWORK, own("asker"));
});
afterAll(async () => {
  const { sandboxes: left } = JSON.parse(await node.run("sandbox", "ls", "--json")) as {
    sandboxes: { name: string }[];
  };
  for (const { name } of left) await node.try("sandbox", "rm", "-f", name);
  await lab.close();
});

async function lookUp(name: string): Promise<number | null> {
  return (await node.exec(own("asker"), "getent", "ahostsv4", name)).status;
}

test("names come with create and connect, and go with disconnect and rm", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = own(`member${round}`);
    const seen: (number | null)[] = [];
    const after = async (...args: string[]): Promise<void> => {
      await node.run(...args);
      seen.push(await lookUp(name));
    };
    await after("sandbox", "create", "--network", NETWORK, name);
    await after("network", "disconnect", NETWORK, name);
    await after("network", "connect", NETWORK, name);
    await after("sandbox", "rm", name);
    expect(seen).toEqual([0, NOT_FOUND, 0, NOT_FOUND]);
  }
});

test("a command waits for an agent that is late", async () => {
  const name = own("late");
  process.kill(node.pid, "SIGSTOP");
  let isOver = false;
  const created = node.run("sandbox", "create", "--network", NETWORK, name).then(() => {
    isOver = true;
  });
  try {
    // The attachment is made, and the command waits at the agent's socket: the first of two numbers are its callers.
    const isWaiting = async (): Promise<boolean> => {
      const listening = await command(lab.inHost("ss", "-lxH"));
      const line = listening.split("\n").find((one) => one.includes(node.agentSocket)) ?? "";
      return Number(line.split(/\s+/)[2]) > 0;
    };
    expect(await waitUntil(isWaiting, 20_000)).toBe(true);
    expect(await node.run("ipam", "endpoints", "--json")).toContain(name);
    expect(isOver).toBe(false);
  } finally {
    process.kill(node.pid, "SIGCONT");
  }
  await created;
  expect(await lookUp(name)).toBe(0);
});

test("without an agent nobody serves names, and nobody waits for them", async () => {
  const name = own("unserved");
  const socket = join(lab.folder("elsewhere"), "fairlead.sock");
  const { status, stderr } = await node.try(
    "sandbox",
    "create",
    "--socket",
    socket,
    "--network",
    "none",
    name,
  );
  expect([status, stderr]).toEqual([0, ""]);
});
