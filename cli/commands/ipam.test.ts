import { type Run, run } from "../../test/support/command-line.ts";
import {
  ListeningFront,
  openHttpFront,
  openTestService,
  type TestService,
  withMethods,
} from "../../test/support/ipam/ipam-fronts.ts";

describe("ipam", () => {
  const caller = { actor: "test", node: "n1" };
  const longId = "0123456789abcdef".repeat(4);
  let under: TestService;
  let front: ListeningFront;

  beforeEach(async () => {
    under = await openTestService();
    front = await ListeningFront.open(openHttpFront(under.service));
  });
  afterEach(async () => {
    await front.close();
    await under.service.close();
  });

  const ipam = (...argv: string[]): Promise<Run> => run(["ipam", ...argv, "--socket", front.socket]);

  /** One network with a bound and a cooling address. */
  async function populate(): Promise<void> {
    const { service, clock } = under;
    await service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/24" }] }, caller);
    await service.acquire({ key: { networkName: "web", containerId: longId, ifname: "eth0" } }, caller);
    clock.advance(1_000);
    const key = { networkName: "web", containerId: "c2", ifname: "eth0" };
    await service.acquire({ key, mac: "02:00:00:00:00:01" }, caller);
    clock.advance(1_000);
    await service.release({ key }, caller);
  }

  test("status of an empty service", async () => {
    const { status, out } = await ipam("status");
    expect(status).toBe(0);
    expect(out).toMatch(/^Service {2}version 1\.2\.3, up since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n/);
    expect(out).toContain("Store    memory, epoch 1, revision 1\n");
    expect(out).toContain("\nNo networks.\n");
  });

  test("status shows every pool", async () => {
    await populate();
    await under.service.createNetwork({ name: "full", subnets: [{ subnet: "10.2.0.0/30" }] }, caller);
    await under.service.acquire({ key: { networkName: "full", containerId: "c9", ifname: "eth0" } }, caller);
    const { out } = await ipam("status");
    expect(out).toContain("Leases   2 bound, 1 cooling, 0 quarantined, 0 reserved");
    const row = (name: string): string[] =>
      (out.split("\n").find((line) => line.startsWith(`${name} `)) ?? "").split(/ +/);
    expect(row("NETWORK").slice(0, 6)).toEqual(["NETWORK", "POOL", "SUBNETS", "SIZE", "BOUND", "COOLING"]);
    expect(row("web").slice(0, 6)).toEqual(["web", "0", "10.1.0.0/24", expect.any(String), "1", "1"]);
    expect(out).toMatch(/\nNot ready:\nfull: .*10\.2\.0\.0\/30/);
  });

  test.each(["leases", "endpoints"])("%s of a network that there is not", async (command) => {
    expect(await ipam(command, "--network", "NONE")).toMatchObject({ status: 4, out: "" });
  });

  test("status of one network, for programs", async () => {
    await populate();
    const { out } = await ipam("status", "web", "--json");
    expect(JSON.parse(out)).toEqual({
      service: await under.service.info(),
      networks: [await under.service.networkStatus({ networkName: "web" }, caller)],
    });
    expect(await ipam("status", "nope")).toMatchObject({ status: 4, out: "" });
  });

  test("networks", async () => {
    expect((await ipam("networks")).out).toBe("No networks.\n");
    await populate();
    const network = await under.service.getNetwork({ name: "web" });
    expect((await ipam("networks")).out).toBe(
      [
        "NETWORK  ID            DRIVER  ORIGIN  SUBNETS      GATEWAYS  ATTACHMENTS",
        `web      ${network.id.slice(0, 12)}  bridge  api     10.1.0.0/24  10.1.0.1            1`,
        "",
      ].join("\n"),
    );
    expect(JSON.parse((await ipam("networks", "--json")).out)).toEqual({ networks: [network] });
  });

  test("endpoints, one line for all addresses of an attachment", async () => {
    expect((await ipam("endpoints")).out).toBe("No endpoints.\n");
    await populate();
    const key = { networkName: "dual", containerId: "c7", ifname: "eth0" };
    const subnets = [{ subnet: "10.3.0.0/24" }, { subnet: "fd00:3::/64" }];
    await under.service.createNetwork({ name: "dual", subnets }, caller);
    await under.service.acquire({ key, names: ["db", "data"], mac: "02:00:00:00:00:07" }, caller);
    const { out } = await ipam("endpoints", "--network", "dual");
    expect(out).toBe(
      [
        "NETWORK  NAMES    ADDRESSES                 CONTAINER  IFNAME  NODE  MAC                SINCE",
        "dual     db data  10.3.0.2/24 fd00:3::2/64  c7         eth0    n1    02:00:00:00:00:07  2023-11-14 22:13:22",
        "",
      ].join("\n"),
    );
    const found = async (...filter: string[]): Promise<string[]> =>
      JSON.parse((await ipam("endpoints", ...filter, "--json")).out).endpoints.map(
        ({ containerId }: { containerId: string }) => containerId,
      );
    expect(await found()).toEqual(["c7", longId]);
    expect(await found("--name", "data")).toEqual(["c7"]);
    expect(await found("--container", longId)).toEqual([longId]);
    expect(await found("--node", "n2")).toEqual([]);
  });

  test("nodes, with what each holds", async () => {
    expect((await ipam("nodes")).out).toBe("No node holds an address.\n");
    await populate();
    const key = { networkName: "web", containerId: "c7", ifname: "eth0" };
    const bootId = "0f5c1d9a-7c0e-4c1e-8f57-2f9a5e7d1b11";
    await under.service.acquire({ key, bootId }, { ...caller, node: "n2" });
    const { out } = await ipam("nodes");
    expect(out).toBe(
      [
        "NODE  NETWORKS  ATTACHMENTS  ADDRESSES  NEWEST               BOOT",
        "n1           1            1          1  2023-11-14 22:13:20  -",
        `n2           1            1          1  2023-11-14 22:13:22  ${bootId}`,
        "",
      ].join("\n"),
    );
    expect(JSON.parse((await ipam("nodes", "--json")).out)).toEqual({
      nodes: await under.service.listNodes(),
    });
  });

  test("status says nothing of networks that have no addresses, unless asked", async () => {
    await populate();
    await under.service.createNetwork({ name: "machine", driver: "host" }, caller);
    expect((await ipam("status")).out).not.toContain("machine");
    expect((await ipam("status", "machine")).out).toContain(
      "machine: it hands out no addresses (driver host",
    );
  });

  test("leases, whole where there is no terminal", async () => {
    expect((await ipam("leases")).out).toBe("No leases.\n");
    await populate();
    const { out } = await ipam("leases");
    const [head = "", first = "", second = ""] = out.split("\n");
    expect(head.split(/ +/)).toEqual([
      "ADDRESS",
      "NETWORK",
      "STATE",
      "NAMES",
      "CONTAINER",
      "IFNAME",
      "NODE",
      "SINCE",
      "UNTIL",
      "REASON",
    ]);
    expect(first).toBe(
      `10.1.0.2  web      bound    -      ${longId.slice(0, 12)}  eth0    n1    2023-11-14 22:13:20  -                    -`,
    );
    expect((await ipam("leases", "--no-trunc")).out).toContain(longId);
    expect(second).toContain("10.1.0.3  web      cooling  -      c2 ");
    expect(second).toMatch(/2023-11-14 22:13:22 {2}2023-11-14 22:14:22 {2}-$/);
  });

  /** Long names, both families, all states: what is widest in practice. */
  async function crowd(): Promise<void> {
    const { service } = under;
    const node = { ...caller, node: "a-node-with-a-long-name.example.org" };
    const subnets = ["10.110.0.0/16", "fd00:110:2222:3333::/64"].map((subnet) => ({ subnet }));
    await service.createNetwork({ name: "a-network-with-a-long-name", subnets }, caller);
    const key = { networkName: "a-network-with-a-long-name", containerId: longId, ifname: "eth0" };
    const names = ["a-container-with-a-long-name", "its-alias", "another"];
    await service.acquire({ key, names, mac: "02:00:00:00:00:01" }, node);
    await service.quarantine(
      { address: "10.110.0.9", reason: "something answered ARP there, twice" },
      caller,
    );
    await service.reserve({ networkName: key.networkName, address: "10.110.0.8", reason: "printer" }, caller);
  }

  test.each([
    ["leases", "10.110.0.9", "quarantined"],
    ["endpoints", "10.110.0.2/16 +1"],
    ["nodes", "a-node-with-a-long-name.example.org"],
    ["networks", "10.110.0.0/16 +1"],
    ["status", "10.110.0.0/16"],
    ["history 10.110.0.2", longId.slice(0, 12)],
  ])("%s fits a terminal of 80 columns, with what matters whole", async (words, ...whole) => {
    await crowd();
    const { out } = await run(["ipam", ...words.split(" "), "--socket", front.socket], 80);
    const table = out.split("\n").filter((line) => !/^(Service|Store|Leases) /.test(line));
    for (const line of table) expect([line, line.length <= 80]).toEqual([line, true]);
    for (const text of whole) expect(out).toContain(text);
  });

  test("addresses are set aside and given back", async () => {
    await populate();
    const states = async (): Promise<string[]> =>
      (await under.service.listLeases({})).map(({ address, state }) => `${address} ${state}`);
    expect(await ipam("reserve", "web", "10.1.0.9", "--reason", "printer", "--for", "db")).toEqual({
      status: 0,
      out: "10.1.0.9\n",
      err: "",
    });
    expect((await ipam("quarantine", "10.1.0.8", "--json")).out).toBe('{\n  "address": "10.1.0.8"\n}\n');
    expect(await states()).toEqual(expect.arrayContaining(["10.1.0.9 reserved", "10.1.0.8 quarantined"]));
    expect((await ipam("leases", "--state", "reserved")).out).toContain("printer");
    expect((await ipam("leases", "--state", "quarantined")).out).toContain("by hand");
    const key = { networkName: "web", containerId: "c8", ifname: "eth0" };
    const { addresses } = await under.service.acquire({ key, stickyName: "db" }, caller);
    expect(addresses.map(({ address }) => address)).toEqual(["10.1.0.9/24"]);
    expect(await ipam("unreserve", "web", "10.1.0.9")).toMatchObject({ status: 0 });
    expect(await ipam("unquarantine", "10.1.0.8")).toMatchObject({ status: 0 });
    expect((await states()).filter((text) => !/bound|cooling/.test(text))).toEqual([]);
    expect(await ipam("reserve", "nope", "10.1.0.9")).toMatchObject({ status: 4, out: "" });
    expect(await ipam("quarantine", "10.9.9.9")).toMatchObject({ status: 4, out: "" });
  });

  test("names and instants filter, and names are in history while they are known", async () => {
    const { service, clock } = under;
    await populate();
    clock.advance(60_000);
    const key = { networkName: "web", containerId: "c5", ifname: "eth0" };
    const { addresses } = await service.acquire({ key, names: ["db"] }, caller);
    const [address = ""] = (addresses[0]?.address ?? "").split("/");
    const found = async (...filter: string[]): Promise<string[]> =>
      JSON.parse((await ipam("leases", ...filter, "--json")).out).leases.map(
        (lease: { containerId: string }) => lease.containerId,
      );
    expect(await found("--name", "DB")).toEqual(["c5"]);
    expect(await found("--container", "db")).toEqual(["c5"]);
    expect(await found("--container", longId.slice(0, 12))).toEqual([longId]);
    expect(await found("--since", "2023-11-14T22:14:00Z")).toEqual(["c5"]);
    expect((await ipam("history", address)).out).toMatch(/^.* web {6}db {5}c5 /m);
    const since = ["--since", "2023-11-14T22:14:00Z"];
    expect((await ipam("history", "10.1.0.3", ...since)).out).toMatch(/^Nobody had 10\.1\.0\.3 then/);
    expect(await ipam("leases", "--since", "soon")).toMatchObject({ status: 2 });
  });

  test.each([
    [["--state", "cooling"], ["10.1.0.3"]],
    [["--container", longId], ["10.1.0.2"]],
    [
      ["--network", "web", "--node", "n1"],
      ["10.1.0.2", "10.1.0.3"],
    ],
    [["--node", "n2"], []],
    [["--address", "10.1.0.3"], ["10.1.0.3"]],
  ])("leases %j", async (filter, addresses) => {
    await populate();
    const { leases } = JSON.parse((await ipam("leases", ...filter, "--json")).out);
    expect(leases.map((lease: { address: string }) => lease.address)).toEqual(addresses);
  });

  test("history", async () => {
    await populate();
    expect((await ipam("history", "10.1.0.3")).out).toBe(
      [
        "FROM                 TO                   NETWORK  NAMES  CONTAINER  IFNAME  NODE  MAC",
        "2023-11-14 22:13:21  2023-11-14 22:13:22  web      -      c2         eth0    n1    02:00:00:00:00:01",
        "",
      ].join("\n"),
    );
    expect((await ipam("history", "10.9.9.9")).out).toBe("Nobody had 10.9.9.9, as far as the log goes.\n");
    const then = ["--at", "2023-11-14T22:13:21.500Z"];
    expect(JSON.parse((await ipam("history", "10.1.0.3", ...then, "--json")).out).tenancies).toHaveLength(1);
    const { out } = await ipam("history", "10.1.0.3", "--at", "2023-11-14T22:00:00Z");
    expect(out).toBe("Nobody had 10.1.0.3 then, as far as the log goes.\n");
    expect((await ipam("history", "10.1.0.3", "--at", "tuesday")).status).toBe(2);
    expect((await ipam("history", "10.1.0")).status).toBe(2);
  });

  test("check of a sound store", async () => {
    await populate();
    const { status, out } = await ipam("check");
    expect([status, out]).toEqual([
      0,
      expect.stringMatching(/^No contradictions \(1 network, \d leases?, revision \d+\)\.\n$/),
    ]);
    expect(JSON.parse((await ipam("check", "--json")).out)).toEqual(await under.service.checkConsistency());
  });
});

test("a check that finds an error has status 1", async () => {
  const { service } = await openTestService();
  const finding = {
    severity: "error",
    object: "10.1.0.2",
    problem: "bound twice",
    remedy: "release one",
  } as const;
  const report = { revision: 7, networks: 1, leases: 2, findings: [finding] };

  const front = await ListeningFront.open(
    openHttpFront(withMethods(service, { checkConsistency: async () => report })),
  );
  const { status, out } = await run(["ipam", "check", "--socket", front.socket]);
  expect([status, out]).toEqual([
    1,
    [
      "SEVERITY  OBJECT    PROBLEM",
      "error     10.1.0.2  bound twice; release one",
      "",
      "1 finding (1 network, 2 leases, revision 7).",
      "",
    ].join("\n"),
  ]);
  await front.close();
  await service.close();
});
