/** Databases that earlier versions wrote must open, with everything in them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "../../../lib/clock.ts";
import { ADMIN, NODE1, openService } from "../../../test/support/ipam/ipam-fixture.ts";
import type { RunningService } from "../../service.ts";
import { MIGRATIONS } from "./schema.ts";
import { openSqliteStore } from "./store.ts";

const LAYOUT_1 = join(__dirname, "../../../test/captures/store/layout-1.sql");

describe("a database of layout 1", () => {
  let directory: string;
  let path: string;
  let service: RunningService;

  const open = async (): Promise<RunningService> =>
    openService(openSqliteStore({ path }), new ManualClock(1_700_000_002_000));

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "fairlead-migration-"));
    path = join(directory, "ipam.db");
    const old = new DatabaseSync(path);
    old.exec(readFileSync(LAYOUT_1, "utf8"));
    old.close();
    service = await open();
  });
  afterEach(async () => {
    expect((await service.checkConsistency()).findings).toEqual([]);
    await service.close();
    rmSync(directory, { recursive: true });
  });

  test("keeps its networks; what they could not say then has its default", async () => {
    const networks = await service.listNetworks();
    const facts = networks.map(({ name, origin, driver, attachable, ipv6 }) => ({
      name,
      origin,
      driver,
      attachable,
      ipv6,
    }));
    expect(facts).toEqual([
      { name: "bridge", origin: "conflist", driver: "bridge", attachable: false, ipv6: false },
      { name: "lan", origin: "api", driver: "overlay", attachable: false, ipv6: true },
      { name: "web", origin: "api", driver: "bridge", attachable: false, ipv6: true },
    ]);
    const subnets = networks.flatMap(({ pools }) => pools.flatMap((pool) => pool.subnets));
    expect(subnets.map(({ gateway, gatewayGiven, ipRange }) => [gateway, gatewayGiven, ipRange])).toEqual([
      ["10.6.0.1", false, null],
      ["10.5.0.254", true, null],
      [null, false, null],
      ["10.77.0.1", false, null],
      ["fd77::1", false, null],
    ]);
  });

  test("gets a log with a name, and keeps that", async () => {
    const { logId } = await service.info();
    expect(logId).toMatch(/^[0-9a-f]{32}$/);
    await service.close();
    service = await open();
    expect((await service.info()).logId).toBe(logId);
  });

  test("keeps who holds what", async () => {
    const endpoints = await service.listEndpoints({ containerId: "c1" });
    expect(
      endpoints.map(({ networkName, name, addresses }) => [networkName, name, addresses.length]),
    ).toEqual([
      ["bridge", "db", 1],
      ["web", "", 2],
    ]);
    const { leases } = await service.info();
    expect(leases).toEqual({ bound: 3, cooling: 2, quarantined: 1, reserved: 1 });
    const again = await service.acquire(
      { key: { networkName: "web", containerId: "c1", ifname: "eth1" } },
      NODE1,
    );
    expect([again.created, again.addresses[0]?.address]).toEqual([false, "10.77.0.2/24"]);
  });

  test("keeps its events, and writes new ones beside them", async () => {
    await service.createNetwork({ name: "new" }, ADMIN);
    const events = await service.listEvents({ kind: "network-created" });
    const { id } = await service.getNetwork({ name: "new" });
    expect(events.map(({ networkName, networkId }) => [networkName, networkId])).toEqual([
      ["web", ""],
      ["lan", ""],
      ["bridge", ""],
      ["new", id],
    ]);
    const [stay] = await service.whoHad({ address: "10.77.0.3" });
    expect([stay?.containerId, stay?.to]).toEqual(["c2", "2023-11-14T22:13:21.000Z"]);
  });

  test("has the newest layout afterwards, and opens again", async () => {
    await service.close();
    const database = new DatabaseSync(path);
    expect(database.prepare("PRAGMA user_version").get()).toEqual({ user_version: MIGRATIONS.length });
    database.close();
    service = await open();
    expect((await service.info()).networks).toBe(3);
  });
});
