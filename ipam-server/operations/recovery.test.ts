import type { RecoverRequest } from "../../lib/ipam/api.ts";
import {
  ADMIN,
  brief,
  type Fixture,
  keyOf,
  NODE1,
  NODE2,
  newFixture,
  plain,
} from "../../test/support/ipam/ipam-fixture.ts";
import type { BootMemory, Seen } from "../store/boot-memory.ts";

/** What survives the server, and not the boot. */
class Memory implements BootMemory {
  seen: Seen | null = null;
  read = () => this.seen;
  write = (seen: Seen) => {
    this.seen = seen;
  };
  close = () => {};
}

const NOTHING: RecoverRequest = { bootId: "one", networks: [], attachments: [], addresses: [] };
const WEB = { name: "web", subnets: [{ subnet: "10.1.0.0/29" }] };

let memory: Memory;
let f: Fixture;

beforeEach(async () => {
  memory = new Memory();
  f = await start("one");
  await f.service.createNetwork(WEB, ADMIN);
});
afterEach(async () => {
  expect((await f.service.checkConsistency()).findings.filter(({ object }) => object !== "service")).toEqual(
    [],
  );
  await f.service.close();
});

function start(bootId: string, disk = {}): Promise<Fixture> {
  return newFixture({ ...disk, boot: { node: "n1", bootId, memory } });
}

/** As if nothing but the store were another: an empty one, or one of before. */
async function putBack(from: Fixture | null): Promise<void> {
  await f.service.close();
  f = await start("one", { clock: f.clock, ...(from !== null && { disk: from.disk }) });
}

const acquire = async (containerId: string, bootId = "one", networkName = "web") =>
  plain(await f.service.acquire({ key: keyOf(containerId, networkName), bootId }, NODE1));
const found = (containerId: string, ...addresses: string[]) => ({ key: keyOf(containerId), addresses });
const recovering = async () => (await f.service.info()).recovering;

/** The store has seen `a`; the boot has seen `b` too. */
async function loseTheLater(): Promise<void> {
  await acquire("a");
  await putBack(f);
  const { logId, revision } = await f.service.info();
  expect(await recovering()).toBe(false);
  memory.seen = { logId, revision: revision + 1, recovering: false };
  await putBack(f);
}

test("a clean restart, a kill between commit and note, and another boot need no recovery", async () => {
  const { logId } = await f.service.info();
  await putBack(f);
  const seen = memory.seen as unknown as Seen;
  expect(seen).toEqual({ logId, revision: (await f.service.info()).revision, recovering: false });
  memory.seen = { ...seen, revision: seen.revision - 3 };
  await putBack(f);
  memory.seen = null;
  await putBack(f);
  expect([await recovering(), (await f.service.info()).logId]).toEqual([false, logId]);
});

test("an older store is noticed: its log has another name, and nothing is granted", async () => {
  const { logId } = await f.service.info();
  await loseTheLater();
  expect(await f.service.info()).toMatchObject({ recovering: true, logId: expect.not.stringMatching(logId) });
  const refused = {
    ...{ code: "unavailable", details: { rule: "recovering" } },
    hint: expect.stringContaining("fairlead ipam recover"),
  };
  await expect(acquire("c")).rejects.toMatchObject(refused);
  await expect(acquire("a")).rejects.toMatchObject(refused);
  await expect(f.service.createNetwork({ name: "x" }, ADMIN)).rejects.toMatchObject(refused);
  const status = await f.service.networkStatus({ networkName: "web" }, NODE1);
  expect(status).toMatchObject({ ready: false, reason: expect.stringContaining("in recovery") });
  expect((await f.service.checkConsistency()).findings).toMatchObject([
    { severity: "error", object: "service" },
  ]);
  expect((await f.service.release({ key: keyOf("a") }, NODE1)).released).toEqual(["10.1.0.2"]);
});

test("another store is noticed by the name of its log, however much it holds", async () => {
  memory.seen = { logId: "0".repeat(32), revision: 0, recovering: false };
  await putBack(f);
  expect(await recovering()).toBe(true);
  await expect(acquire("c")).rejects.toMatchObject({ code: "unavailable" });
});

test("and stays so over a restart, until it is told what is attached", async () => {
  await loseTheLater();
  await putBack(f);
  expect(await recovering()).toBe(true);
  await f.service.recover({ ...NOTHING, attachments: [found("b", "10.1.0.3/29")] }, NODE1);
  expect(await recovering()).toBe(false);
  await putBack(f);
  expect(await recovering()).toBe(false);
  expect(await acquire("c")).toEqual(["10.1.0.4"]);
});

test("what the store does not know is bound again, as it is; what it knows stays as it is", async () => {
  await loseTheLater();
  const attachments = [
    found("a", "10.1.0.2/29"),
    { ...found("b", "10.1.0.3/29"), mac: "02:00:00:00:00:0b", names: ["db"] },
  ];
  const answer = await f.service.recover({ ...NOTHING, attachments }, NODE1);
  expect(answer).toEqual({ networks: [], bound: attachments.slice(1), quarantined: [], problems: [] });
  expect(await f.service.listLeases({ containerId: "b" })).toMatchObject([
    { address: "10.1.0.3", state: "bound", node: "n1", mac: "02:00:00:00:00:0b", names: ["db"] },
  ]);
  expect((await f.service.listEvents({ kind: "store-recovered" })).map(({ reason }) => reason)).toEqual([
    "2 attachments found, 1 bound again, 0 addresses quarantined",
  ]);
  expect(await acquire("b")).toEqual(["10.1.0.3"]);
});

test("an attachment that is told twice is one", async () => {
  await loseTheLater();
  const attachments = [found("b", "10.1.0.3/29", "10.1.0.3/29"), found("b", "10.1.0.3/29")];
  const { problems } = await f.service.recover({ ...NOTHING, attachments }, NODE1);
  expect(problems).toEqual([]);
  expect(await f.service.listLeases({ containerId: "b" })).toMatchObject([{ address: "10.1.0.3" }]);
});

test("who holds an address by the store alone gives it up to whoever has it", async () => {
  await loseTheLater();
  await f.service.recover({ ...NOTHING, attachments: [found("b", "10.1.0.2/29")] }, NODE1);
  expect((await f.service.listEndpoints({})).map(({ containerId }) => containerId)).toEqual(["b"]);
  const told = (await f.service.listEvents({})).slice(-3);
  expect(told.map(({ kind, containerId, reason }) => `${kind} ${containerId}: ${reason}`)).toEqual([
    "lease-released a: not found on its node after the store was put back",
    "lease-bound b: found attached",
    "store-recovered : 1 attachments found, 1 bound again, 0 addresses quarantined",
  ]);
});

test("an attachment that has another address than the store says is bound to the one that it has", async () => {
  await loseTheLater();
  await f.service.recover({ ...NOTHING, attachments: [found("a", "10.1.0.5/29")] }, NODE1);
  expect(brief(await f.service.listLeases({}))).toEqual(["10.1.0.2 cooling", "10.1.0.5 bound"]);
});

test("one address on two attachments is told, and stays with the first", async () => {
  await loseTheLater();
  const attachments = [found("b", "10.1.0.3/29"), found("c", "10.1.0.3/29")];
  const answer = await f.service.recover({ ...NOTHING, attachments }, NODE1);
  expect(answer.problems).toEqual([expect.stringMatching(/c of web.*10\.1\.0\.3.*b\/eth0 has it too/)]);
  expect(await f.service.listLeases({ address: "10.1.0.3" })).toMatchObject([{ containerId: "b" }]);
});

test("an address of an unknown holder is quarantined, unless a known one has it", async () => {
  await loseTheLater();
  const addresses = ["10.1.0.2", "10.1.0.4"].map((address) => ({ address, reason: "in use behind veth1" }));
  const request = { ...NOTHING, attachments: [found("a", "10.1.0.2/29")], addresses };
  expect(await f.service.recover(request, NODE1)).toMatchObject({ quarantined: ["10.1.0.4"], problems: [] });
  expect(await f.service.listLeases({ address: "10.1.0.4" })).toMatchObject([
    { state: "quarantined", reason: "in use behind veth1" },
  ]);
});

test("an empty store gets its networks back, by what conflists and bridges say, and a conflist's by its containers", async () => {
  const id = "ab".repeat(32);
  await putBack(null);
  const networks = [
    { id, name: "web", gateways: ["10.1.0.1/29"], internal: true, options: {} },
    { id: "cd".repeat(32), name: "bridge", gateways: ["10.9.0.1/24"], internal: false, options: {} },
  ];
  const lan = { key: keyOf("l", "lan"), addresses: ["10.7.0.9/24"] };
  const attachments = [found("a", "10.1.0.2/29"), lan];
  const answer = await f.service.recover({ ...NOTHING, networks, attachments }, NODE1);
  expect(answer).toMatchObject({ networks: ["web", "bridge", "lan"], problems: [] });
  const made = await f.service.listNetworks();
  expect(made.map(({ name, origin, internal }) => [name, origin, internal])).toEqual([
    ["bridge", "predefined", false],
    ["lan", "conflist", false],
    ["web", "api", true],
  ]);
  expect(made.find(({ name }) => name === "web")?.id).toBe(id);
  const whole = { subnet: "10.7.0.0/24", ranges: ["10.7.0.1-10.7.0.254"] };
  expect(made.find(({ name }) => name === "lan")?.pools).toMatchObject([{ subnets: [whole] }]);
  expect(await acquire("b")).toEqual(["10.1.0.3"]);
  const declaration = { rangeSets: [[{ subnet: "10.7.0.0/24", rangeStart: "10.7.0.9" }]] };
  const next = await f.service.acquire({ key: keyOf("m", "lan"), declaration }, NODE1);
  expect(plain(next)).toEqual(["10.7.0.10"]);
});

test("an attachment whose network cannot be made keeps its address out of use where it is", async () => {
  await loseTheLater();
  const other = { key: keyOf("o", "other"), addresses: ["10.1.0.4/29"] };
  const answer = await f.service.recover({ ...NOTHING, attachments: [other] }, NODE1);
  expect(answer).toMatchObject({ quarantined: ["10.1.0.4"], problems: [expect.stringContaining("already")] });
  expect(await f.service.listLeases({ address: "10.1.0.4" })).toMatchObject([{ state: "quarantined" }]);
});

test("leases of this node's earlier boots are released at the start, free at once; those of others stay", async () => {
  for (const containerId of ["a", "b"]) await acquire(containerId);
  await f.service.acquire({ key: keyOf("c") }, NODE1);
  await f.service.acquire({ key: keyOf("d"), bootId: "zero" }, NODE2);
  await f.service.close();
  f = await start("two", { disk: f.disk, clock: f.clock });
  expect(brief(await f.service.listLeases({}))).toEqual(["10.1.0.4 bound", "10.1.0.5 bound"]);
  expect(await recovering()).toBe(false);
  const released = await f.service.listEvents({ kind: "lease-released" });
  expect(released.map(({ address, reason }) => `${address} ${reason}`)).toEqual([
    "10.1.0.2 the node was booted since",
    "10.1.0.3 the node was booted since",
  ]);
});

test("of an earlier boot, what is in doubt stays out of use, and who has an address of no known boot keeps all", async () => {
  await acquire("a");
  await f.service.quarantine({ address: "10.1.0.2", reason: "doubt" }, ADMIN);
  const declare = (subnet: string, bootId: string) =>
    f.service.acquire({ key: keyOf("b", "lan"), declaration: { rangeSets: [[{ subnet }]] }, bootId }, NODE1);
  await declare("10.7.0.0/24", "");
  await declare("10.8.0.0/24", "one");
  await f.service.close();
  f = await start("two", { disk: f.disk, clock: f.clock });
  expect(brief(await f.service.listLeases({}))).toEqual([
    "10.7.0.2 bound",
    "10.8.0.2 bound",
    "10.1.0.2 quarantined",
  ]);
});

test("what a backup says of an earlier boot is released when the node has told what is attached, and not if it is", async () => {
  for (const containerId of ["a", "b"]) await acquire(containerId, "zero");
  const { logId, revision } = await f.service.info();
  memory.seen = { logId, revision: revision + 1, recovering: false };
  await putBack(f);
  const bound = async () => brief(await f.service.listLeases({ state: "bound" }));
  expect(await bound()).toEqual(["10.1.0.2 bound", "10.1.0.3 bound"]);
  const answer = await f.service.recover({ ...NOTHING, attachments: [found("b", "10.1.0.3/29")] }, NODE1);
  expect(answer.bound.map(({ key }) => key.containerId)).toEqual(["b"]);
  expect(await f.service.listLeases({ state: "bound" })).toMatchObject([
    { address: "10.1.0.3", containerId: "b", bootId: "one" },
  ]);
  const released = await f.service.listEvents({ kind: "lease-released", since: revision });
  expect(released.map(({ address, reason }) => `${address} ${reason}`)).toEqual([
    "10.1.0.2 the node was booted since",
  ]);
});

test("networks of conflists that share a subnet have their parts of it again", async () => {
  await putBack(null);
  const on = (networkName: string, containerId: string, address: string) => ({
    key: keyOf(containerId, networkName),
    addresses: [address],
  });
  const attachments = [
    on("lan1", "a", "10.93.0.12/24"),
    on("lan2", "b", "10.93.0.20/24"),
    on("lan1", "c", "10.93.0.10/24"),
    on("lan2", "d", "10.93.0.23/24"),
  ];
  const answer = await f.service.recover({ ...NOTHING, attachments }, NODE1);
  expect(answer).toMatchObject({ networks: ["lan1", "lan2"], quarantined: [], problems: [] });
  expect(brief(await f.service.listLeases({}))).toEqual([
    "10.93.0.10 bound",
    "10.93.0.12 bound",
    "10.93.0.20 bound",
    "10.93.0.23 bound",
  ]);
  const part = (rangeStart: string, rangeEnd: string) => ({
    rangeSets: [[{ subnet: "10.93.0.0/24", rangeStart, rangeEnd }]],
  });
  const asking = { key: keyOf("e", "lan2"), declaration: part("10.93.0.20", "10.93.0.29") };
  expect(plain(await f.service.acquire(asking, NODE1))).toEqual(["10.93.0.21"]);
});

describe("a conflist's network that is older than its attachments", () => {
  const declare = (containerId: string, ...subnets: string[]) =>
    f.service.acquire(
      {
        ...{ key: keyOf(containerId, "lan"), bootId: "one" },
        declaration: { rangeSets: subnets.map((subnet) => [{ subnet }]) },
      },
      NODE1,
    );
  const onLan = (containerId: string, ...addresses: string[]) => ({
    key: keyOf(containerId, "lan"),
    addresses,
  });
  async function recoverOnto(subnet: string, ...attachments: RecoverRequest["attachments"]) {
    await declare("before", subnet);
    await loseTheLater();
    return f.service.recover({ ...NOTHING, attachments }, NODE1);
  }

  test("gets the subnet that its configuration has had since, and binds them", async () => {
    const attachments = [
      onLan("before", "10.7.0.2/24"),
      onLan("x", "10.8.0.2/28"),
      onLan("y", "10.8.0.3/28"),
    ];
    const answer = await recoverOnto("10.7.0.0/24", ...attachments);
    const bound = attachments.slice(1);
    expect(answer).toMatchObject({ networks: [], bound, quarantined: [], problems: [] });
    expect(plain(await declare("later", "10.8.0.0/28"))).toEqual(["10.8.0.4"]);
  });

  test("is taken to have its gateway where no container is", async () => {
    const attachments = [onLan("before", "10.7.0.2/24"), onLan("x", "10.8.0.1/28")];
    const answer = await recoverOnto("10.7.0.0/24", ...attachments);
    expect(answer).toMatchObject({ bound: attachments.slice(1), quarantined: [], problems: [] });
  });

  test("gets the rest of its subnet, where it had a part", async () => {
    const part = { subnet: "10.7.0.0/24", rangeStart: "10.7.0.10", rangeEnd: "10.7.0.19" };
    const declaration = { rangeSets: [[part]] };
    await f.service.acquire({ key: keyOf("before", "lan"), declaration, bootId: "one" }, NODE1);
    await loseTheLater();
    const attachments = [onLan("before", "10.7.0.10/24"), onLan("x", "10.7.0.40/24")];
    const answer = await f.service.recover({ ...NOTHING, attachments }, NODE1);
    expect(answer).toMatchObject({ bound: attachments.slice(1), quarantined: [], problems: [] });
    expect(brief(await f.service.listLeases({ networkName: "lan" }))).toEqual([
      "10.7.0.10 bound",
      "10.7.0.40 bound",
    ]);
  });

  test("one of the API is not changed", async () => {
    await loseTheLater();
    const stray = { key: keyOf("x"), addresses: ["10.8.0.2/28"] };
    const answer = await f.service.recover({ ...NOTHING, attachments: [stray] }, NODE1);
    expect(answer).toMatchObject({
      bound: [],
      problems: [expect.stringContaining("never hands it out"), expect.any(String)],
    });
    expect((await f.service.getNetwork({ name: "web" })).pools).toHaveLength(1);
  });
});

test("a network whose host has no address is what it was, by its subnets", async () => {
  await putBack(null);
  const mode = "com.docker.network.bridge.gateway_mode_ipv";
  const network = {
    ...{ id: "a".repeat(64), name: "alone", internal: true, gateways: ["10.73.0.0/24", "fd73::/64"] },
    options: { [`${mode}4`]: "isolated", [`${mode}6`]: "isolated" },
  };
  const attachments = [{ key: keyOf("a", "alone"), addresses: ["10.73.0.1/24", "fd73::1/64"] }];
  const answer = await f.service.recover({ ...NOTHING, networks: [network], attachments }, NODE1);
  expect(answer).toMatchObject({ networks: ["alone"], bound: attachments, problems: [] });
  const { origin, internal, pools } = await f.service.getNetwork({ name: "alone" });
  expect([origin, internal]).toEqual(["api", true]);
  expect(pools.map(({ subnets }) => [subnets[0]?.subnet, subnets[0]?.gateway])).toEqual([
    ["10.73.0.0/24", null],
    ["fd73::/64", null],
  ]);
});
