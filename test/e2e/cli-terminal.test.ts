/** The command line on a real terminal: what people see that pipes do not. */
import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ServerLab, type ServerProcess } from "../support/ipam/ipam-server-process.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { requireTools, tryCommand } from "../support/lab/lab-process.ts";
import { Terminal } from "../support/terminal.ts";

jest.setTimeout(60_000);

const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");
const LONG_NAME = "a-network-with-a-name-that-is-much-too-long-for-a-narrow-terminal";

let lab: ServerLab;
let server: ServerProcess;

beforeAll(async () => {
  requireTools("script", "stty");
  lab = new ServerLab();
  server = await lab.start();
  const argv = ["network", "create", "--socket", lab.socket, "--agent-socket", "/nonexistent", LONG_NAME];
  execFileSync(FAIRLEAD, argv, { stdio: ["ignore", "ignore", "ignore"] });
});

afterAll(async () => {
  await server.end("SIGTERM");
  lab.remove();
});

/** Runs a command line on a terminal of `columns` characters, and returns what was shown. */
async function show(line: string, columns = 120): Promise<string> {
  const terminal = new Terminal(`stty cols ${columns}; ${line}; echo "<$?>"`);
  try {
    await terminal.waitFor(/<\d+>/);
    return terminal.shown;
  } finally {
    await terminal.close();
  }
}

test.each(["network ls", "ipam networks", "ipam status", "ipam endpoints"])(
  "%s fits a narrow terminal",
  async (words) => {
    const shown = await show(`${FAIRLEAD} ${words} --socket ${lab.socket}`, 80);
    const lines = shown.split("\r\n");
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(shown).toContain("<0>");
  },
);

test("network ls is cut on a terminal, with a mark, and whole in a pipe", async () => {
  const command = `${FAIRLEAD} network ls --socket ${lab.socket}`;
  expect(await show(command, 60)).toMatch(/ a-network-with-a-\S*… +bridge +local/);
  expect(await show(`${command} | cat`, 60)).toContain(LONG_NAME);
  expect(await show(`${command} --no-trunc`, 60)).toContain(LONG_NAME);
});

test("a wait of more than a second is told, on a terminal only", async () => {
  const socket = join(lab.directory, "slow.sock");
  const slow = await serveSlowly(socket);
  try {
    const shown = await show(`${FAIRLEAD} network ls --socket ${socket}`);
    expect(shown).toMatch(/^list networks: waiting for the service …\r\nNETWORK ID /);
    const { stdout, stderr } = await tryCommand([FAIRLEAD, "network", "ls", "--socket", socket]);
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^NETWORK ID /), ""]);
  } finally {
    slow.close();
  }
});

/** A service that takes a second and a half to say that there are no networks. */
function serveSlowly(socket: string): Promise<Server> {
  const slow = createServer(async (_, response) => {
    await sleep(1_500);
    response.setHeader("content-length", '{"networks":[]}'.length).end('{"networks":[]}');
  });
  return new Promise((resolve) => slow.listen(socket, () => resolve(slow)));
}

test("prune asks on the terminal, and takes only y for an answer", async () => {
  const terminal = new Terminal(
    `${FAIRLEAD} network prune --socket ${lab.socket} --agent-socket /nonexistent; echo "<$?>"`,
  );
  try {
    await terminal.waitFor(/continue\? \[y\/N\] $/);
    terminal.type("yes\r");
    await terminal.waitFor(/<0>/);
    expect(terminal.shown).not.toContain("Deleted");
  } finally {
    await terminal.close();
  }
});
