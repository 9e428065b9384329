/**
 * The service on a file system that fills up: a real one, a tmpfs of one megabyte. Needs root, for the mount.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningService } from "../../ipam-server/service.ts";
import { openSqliteStore } from "../../ipam-server/store/sqlite/store.ts";
import { ManualClock } from "../../lib/clock.ts";
import type { FairleadError } from "../../lib/errors.ts";
import { ADMIN, asking, NODE1, openService, plain } from "../support/ipam/ipam-fixture.ts";

const SIZE_BYTES = 1024 * 1024;
/** Leaves little room after the database has been made. */
const BALLAST_BYTES = 700 * 1024;

let directory: string;
let clock: ManualClock;
let service: RunningService;
let fatal: FairleadError[];

const open = () =>
  openService(openSqliteStore({ path: join(directory, "ipam.db") }), clock, {
    onFatal: (error) => fatal.push(error),
  });

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_BYTES}`, "fairlead-full", directory]);
  clock = new ManualClock();
  fatal = [];
  service = await open();
  await service.createNetwork({ name: "web", subnets: [{ subnet: "10.0.0.0/12" }] }, ADMIN);
});
afterEach(async () => {
  await service.close();
  execFileSync("umount", [directory]);
  rmSync(directory, { recursive: true });
});

const acquire = (containerId: string) => service.acquire(asking(containerId), NODE1).then(plain);

/** Acquires until it is refused; answers how many were granted before, and the refusal. */
async function fill(): Promise<{ granted: number; refusal: FairleadError }> {
  for (let granted = 0; granted < 100_000; granted++) {
    try {
      await acquire(`c${granted}`);
    } catch (error) {
      return { granted, refusal: error as FairleadError };
    }
  }
  throw new Error("the disk does not fill up");
}

test("grants are refused while there is no space, reads go on, and it recovers when there is", async () => {
  const ballast = join(directory, "ballast");
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES));
  const { granted, refusal } = await fill();
  expect(granted).toBeGreaterThan(0);
  expect(refusal).toMatchObject({
    code: "unavailable",
    hint: "give the server's disk space; it recovers by itself",
  });
  expect(refusal.reason).toContain("full");
  expect(await service.listLeases({ state: "bound" })).toHaveLength(granted);
  expect((await service.networkStatus({ networkName: "web" }, NODE1)).ready).toBe(false);
  expect(fatal).toEqual([]);

  rmSync(ballast);
  clock.advance(1000);
  const [address] = await acquire("after");
  expect(address).toBeDefined();
  expect((await service.checkConsistency()).findings).toEqual([]);

  await service.close();
  service = await open();
  const bound = await service.listLeases({ state: "bound" });
  expect(bound).toHaveLength(granted + 1);
  expect(new Set(bound.map((lease) => lease.address)).size).toBe(granted + 1);
  expect((await service.checkConsistency()).findings).toEqual([]);
});
