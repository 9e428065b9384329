/**
 * The built plugins against a service that is older: the real one, without the fields that came later.
 */
import { join } from "node:path";
import { REQUEST_SCHEMAS } from "../../ipam-server/fronts/schema/requests.ts";
import { parseConfig, type RunningServer, startServer } from "../../ipam-server/main.ts";
import { silentLogger } from "../../lib/log.ts";
import { Lab } from "../support/lab/lab.ts";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab/lab-plugins.ts";
import { type CommandOutcome, tryCommand } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

/** What requests of 0.1 could say besides. */
const LATER = {
  AcquireRequest: ["attempt", "canSurvey", "survey"],
  ReleaseRequest: ["attempt", "attempts", "onlyAttempts", "sequences", "upToSequence", "anyNode", "reason"],
} as const;

let lab: Lab;
let server: RunningServer;
let socket: string;
let netns: string;

beforeAll(async () => {
  requireFairlead();
  for (const [name, fields] of Object.entries(LATER)) {
    const { properties } = REQUEST_SCHEMAS[name as keyof typeof LATER] as unknown as {
      properties: Record<string, unknown>;
    };
    for (const field of fields) delete properties[field];
  }
  lab = await Lab.open("older");
  socket = join(lab.folder("run"), "ipam.sock");
  netns = await lab.addContainer("c1");
  const config = parseConfig(JSON.stringify({ socket, stateDir: lab.folder("state") }), "test");
  server = await startServer({ config, logger: silentLogger, hostPrefixes: () => [] });
});

afterAll(async () => {
  await server?.close();
  await lab?.close();
});

function call(verb: string, keys: object = {}): Promise<CommandOutcome> {
  const ipam = {
    type: "fairlead-ipam",
    socket,
    stateDir: lab.folder("plugin"),
    ranges: [[{ subnet: "10.97.0.0/24" }]],
  };
  const config = {
    cniVersion: "1.0.0",
    name: "older",
    type: "fairlead-bridge",
    bridge: "older0",
    ipam,
    ...keys,
  };
  const env = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: "c1",
    CNI_NETNS: netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: FAIRLEAD_DIRECTORY,
  };
  return tryCommand(lab.inHost(join(FAIRLEAD_DIRECTORY, "fairlead-bridge")), {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    input: JSON.stringify(config),
  });
}

const bound = async (): Promise<number> => (await server.service.listLeases({ state: "bound" })).length;

test("a newer plugin attaches, checks and detaches, and says what to start anew", async () => {
  const added = await call("ADD");
  expect([added.status, added.stdout]).toEqual([0, expect.stringContaining("10.97.0.")]);
  expect(added.stderr).toMatch(/older than this plugin, and is asked without attempt: start it anew/);
  expect(await bound()).toBe(1);
  expect((await call("CHECK", { prevResult: JSON.parse(added.stdout) })).status).toBe(0);
  for (let times = 0; times < 2; times++) expect((await call("DEL")).status).toBe(0);
  expect(await bound()).toBe(0);
});

test("what an ADD that failed cannot take back by name, the runtime's DEL does by the key", async () => {
  // The container has the interface already.
  await lab.host(["ip", "-n", netns.slice("/run/netns/".length), "link", "add", "eth0", "type", "bridge"]);
  expect((await call("ADD")).status).toBe(1);
  await lab.host(["ip", "-n", netns.slice("/run/netns/".length), "link", "del", "eth0"]);
  expect((await call("DEL")).status).toBe(0);
  expect(await bound()).toBe(0);
});

test("a field that nobody has is refused as ever, and named", async () => {
  const acquire = { key: { networkName: "older", containerId: "c", ifname: "eth0" }, requestedAdresses: [] };
  const text = JSON.stringify(acquire);
  const { stdout } = await tryCommand(
    lab.inHost(
      "curl",
      "-s",
      "--unix-socket",
      socket,
      "-H",
      "content-type: application/json",
      "-d",
      text,
      "http://f/v1/attachments/acquire",
    ),
  );
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: "invalid-config", details: { unknownField: "requestedAdresses" } },
  });
});
