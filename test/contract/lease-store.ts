/**
 * What every {@link LeaseStore} must do, as a suite to run on each of them.
 *
 *     leaseStoreContract("memory", () => new MemoryHarness());
 *
 * A store may leave out a case only by name and with a reason; it then tests its own behaviour positively.
 */

import { formatAddress } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Batch, Change, LeaseRecord, LeaseStore } from "../../lib/ipam/store.ts";
import { storeFailureOf } from "../../lib/ipam/store.ts";
import { batchOf, contentOf, createNetwork, failureOf, putLease } from "../support/ipam/store-batches.ts";
import { eventRecord, leaseRecord, networkRecord } from "../support/ipam/store-records.ts";

/** One piece of storage that can be opened again and again. */
export interface StoreHarness {
  open(): LeaseStore | Promise<LeaseStore>;
  /** Removes the storage. Every store opened on it has been closed before. */
  destroy(): void;
}

export interface SkippedCase {
  readonly test: string;
  readonly reason: string;
}

export function leaseStoreContract(
  name: string,
  newHarness: () => StoreHarness,
  { skip = [] }: { readonly skip?: readonly SkippedCase[] } = {},
): void {
  describe(`lease store contract: ${name}`, () => {
    let harness: StoreHarness;
    let opened: LeaseStore[];

    const open = async (): Promise<LeaseStore> => {
      const store = await harness.open();
      opened.push(store);
      return store;
    };
    const reopen = async (store: LeaseStore): Promise<LeaseStore> => {
      await store.close();
      return open();
    };
    const contractTest = (title: string, body: () => Promise<void>): void => {
      const skipped = skip.find((each) => each.test === title);
      if (skipped === undefined) test(title, body);
      else test.skip(`${title} (${skipped.reason})`, body);
    };

    beforeEach(() => {
      harness = newHarness();
      opened = [];
    });
    afterEach(async () => {
      for (const store of opened) await store.close();
      harness.destroy();
    });

    const network = networkRecord("web", 1);
    const lease = leaseRecord(network, "10.1.0.2", { version: 2 });

    const openWithLease = async (): Promise<LeaseStore> => {
      const store = await open();
      await store.load();
      await store.commit(batchOf(createNetwork(network), putLease(null, lease)));
      return store;
    };

    contractTest("a new store is empty", async () => {
      const content = await contentOf(await open());
      expect(content).toEqual({
        revision: 0,
        trimmedRevision: 0,
        lastEventAtMs: 0,
        networks: [],
        leases: [],
      });
    });

    contractTest("what was committed is there after reopening, to the last field", async () => {
      const store = await openWithLease();
      const v6 = leaseRecord(network, "fd00:1::7", { version: 3, pool: 1, names: [], acquiredAtMs: null });
      const cooling = leaseRecord(network, "10.1.0.3", {
        version: 4,
        state: "cooling",
        untilMs: 1_700_000_060_000,
        reservation: { reason: "printer \u0000 ü", stickyName: "p" },
        quarantine: "conflict reported",
      });
      await store.commit(batchOf(putLease(null, v6), putLease(null, cooling)));
      const before = await contentOf(store);
      const again = await reopen(store);
      expect(await contentOf(again)).toEqual(before);
      expect(before.leases).toEqual(expect.arrayContaining([lease, v6, cooling]));
      expect(before.networks).toEqual([network]);
      expect(before.revision).toBe(4);
      expect(before.lastEventAtMs).toBe(1_700_000_004_000);
    });

    contractTest("the epoch grows by one with each opening", async () => {
      const first = await open();
      const second = await reopen(first);
      expect(second.epoch).toBe(first.epoch + 1);
    });

    contractTest("one address changes several times in one batch", async () => {
      const store = await openWithLease();
      const released: LeaseRecord = { ...lease, state: "cooling", version: 3, untilMs: 9 };
      const regranted = leaseRecord(network, "10.1.0.2", { version: 4, sequence: 4, containerId: "next" });
      await store.commit(batchOf(putLease(lease, released), putLease(released, regranted)));
      expect((await contentOf(await reopen(store))).leases).toEqual([regranted]);
    });

    contractTest("a removed lease is gone", async () => {
      const store = await openWithLease();
      const change: Change = { kind: "lease", before: lease, after: null };
      await store.commit({ changes: [change], events: [eventRecord(3, lease)] });
      expect((await contentOf(await reopen(store))).leases).toEqual([]);
    });

    contractTest("a network gives way to another with the same addresses in one batch", async () => {
      const store = await openWithLease();
      const other = { ...networkRecord("other", 4), id: "e".repeat(64) };
      const taken = leaseRecord(other, "10.1.0.2", { version: 5 });
      await store.commit({
        changes: [
          { kind: "network", before: network, after: null },
          { kind: "network", before: null, after: other },
          { kind: "lease", before: null, after: taken },
        ],
        events: [eventRecord(3, network), eventRecord(4, other), eventRecord(5, taken)],
      });
      expect(await contentOf(await reopen(store))).toMatchObject({ networks: [other], leases: [taken] });
    });

    contractTest("removing a network removes its leases, and the name can be used again", async () => {
      const store = await openWithLease();
      const change: Change = { kind: "network", before: network, after: null };
      await store.commit({ changes: [change], events: [eventRecord(3, network)] });
      const reborn = { ...networkRecord("web", 4), id: "f".repeat(64) };
      await store.commit(batchOf(createNetwork(reborn)));
      const content = await contentOf(await reopen(store));
      expect(content.leases).toEqual([]);
      expect(content.networks).toEqual([reborn]);
    });

    contractTest("a network's definition changes", async () => {
      const store = await openWithLease();
      const changed = { ...networkRecord("web", 3), coolingSeconds: 5, maxAttachments: null };
      const change: Change = { kind: "network", before: network, after: changed };
      await store.commit({ changes: [change], events: [eventRecord(3, changed)] });
      expect((await contentOf(await reopen(store))).networks).toEqual([changed]);
    });

    const refused: { title: string; batch: () => Batch }[] = [
      {
        title: "a second grant of an address",
        batch: () =>
          batchOf(putLease(null, leaseRecord(network, "10.1.0.2", { version: 3, containerId: "b" }))),
      },
      {
        title: "a change that rests on an older version",
        batch: () => batchOf(putLease({ ...lease, version: 1 }, { ...lease, version: 3 })),
      },
      {
        title: "a removal that rests on an older version",
        batch: () => ({
          changes: [{ kind: "lease", before: { ...lease, version: 1 }, after: null }],
          events: [eventRecord(3, lease)],
        }),
      },
      {
        title: "a change of a lease that is not there",
        batch: () => {
          const ghost = leaseRecord(network, "10.1.0.8", { version: 1 });
          return batchOf(putLease(ghost, { ...ghost, version: 3 }));
        },
      },
      {
        title: "two addresses of one pool for one attachment",
        batch: () =>
          batchOf(
            putLease(null, leaseRecord(network, "10.1.0.4", { version: 3, containerId: lease.containerId })),
          ),
      },
      {
        title: "two addresses of one pool for one attachment, within one batch",
        batch: () =>
          batchOf(
            putLease(null, leaseRecord(network, "10.1.0.4", { version: 3, containerId: "twice" })),
            putLease(null, leaseRecord(network, "10.1.0.5", { version: 4, containerId: "twice" })),
          ),
      },
      {
        title: "a lease of an unknown network",
        batch: () =>
          batchOf(putLease(null, leaseRecord(networkRecord("ghost", 1), "10.9.0.4", { version: 3 }))),
      },
      {
        title: "a second network of one name",
        batch: () => batchOf(createNetwork({ ...networkRecord("web", 3), id: "e".repeat(64) })),
      },
      {
        title: "a network change that rests on an older version",
        batch: () => ({
          changes: [
            { kind: "network", before: { ...network, version: 0 }, after: { ...network, version: 3 } },
          ],
          events: [eventRecord(3, network)],
        }),
      },
      { title: "a gap in the revisions", batch: () => ({ changes: [], events: [eventRecord(4, lease)] }) },
      { title: "a repeated revision", batch: () => ({ changes: [], events: [eventRecord(2, lease)] }) },
    ];
    for (const { title, batch } of refused) {
      contractTest(`refuses ${title}, and the whole batch with it`, async () => {
        const store = await openWithLease();
        const before = await contentOf(store);
        const bad = batch();
        const next = 3 + bad.changes.length;
        const innocent = putLease(null, leaseRecord(network, "10.1.0.100", { version: next }));
        // The innocent change comes first in the transaction: it must not survive the guilty one.
        const changes = [innocent.change, ...bad.changes];
        const events = bad.changes.length === 0 ? bad.events : [...bad.events, eventRecord(next, lease)];
        expect(await failureOf(store, { changes, events })).toBe("conflict");
        expect(await contentOf(await reopen(store))).toEqual(before);
      });
    }

    contractTest("goes on after a refused batch", async () => {
      const store = await openWithLease();
      await failureOf(store, { changes: [], events: [eventRecord(9, lease)] });
      const other = leaseRecord(network, "10.1.0.3", { version: 3 });
      await store.commit(batchOf(putLease(null, other)));
      expect((await contentOf(store)).leases).toHaveLength(2);
    });

    contractTest("a network of a refused batch is unknown afterwards", async () => {
      const store = await openWithLease();
      const ghost = networkRecord("ghost", 3);
      const clash = putLease(null, leaseRecord(network, "10.1.0.2", { version: 4 }));
      expect(await failureOf(store, batchOf(createNetwork(ghost), clash))).toBe("conflict");
      const orphan = leaseRecord(ghost, "10.9.0.2", { version: 3 });
      expect(await failureOf(store, batchOf(putLease(null, orphan)))).toBe("conflict");
    });

    contractTest("events come back as they were written, without gaps, filtered and limited", async () => {
      const store = await openWithLease();
      const other = leaseRecord(network, "10.1.0.3", { version: 3, containerId: "other" });
      await store.commit(batchOf(putLease(null, other)));
      const again = await reopen(store);
      const all = await again.readEvents({ since: 0, limit: 100 });
      expect(all).toEqual([eventRecord(1, network), eventRecord(2, lease), eventRecord(3, other)]);
      const revisions = async (query: object) =>
        (await again.readEvents({ since: 0, limit: 100, ...query })).map(({ revision }) => revision);
      expect(await revisions({ since: 1 })).toEqual([2, 3]);
      expect(await revisions({ limit: 2 })).toEqual([1, 2]);
      expect(await revisions({ since: 3 })).toEqual([]);
      await expect(revisions({ since: 4 })).rejects.toMatchObject({ code: "compacted" });
      expect(await revisions({ address: lease.address })).toEqual([2]);
      expect(await revisions({ address: lease.address, addressSpace: "other" })).toEqual([]);
      expect(await revisions({ addressSpace: "other" })).toEqual([]);
      expect(await revisions({ containerId: "other" })).toEqual([3]);
      expect(await revisions({ networkName: "other" })).toEqual([]);
      expect(await revisions({ networkName: "web", kind: "lease-bound", limit: 1 })).toEqual([2]);
      expect(await revisions({ networkName: "web", kind: "network-created" })).toEqual([1]);
      expect(await revisions({ fromMs: 1_700_000_002_000 })).toEqual([2, 3]);
      expect(await revisions({ toMs: 1_700_000_002_000 })).toEqual([1, 2]);
      expect(await revisions({ fromMs: 1_700_000_001_001, toMs: 1_700_000_002_999 })).toEqual([2]);
      expect(await revisions({ since: 2, fromMs: 1_700_000_001_000 })).toEqual([3]);
      expect(await revisions({ since: 1, fromMs: 1_700_000_003_000 })).toEqual([3]);
      expect(await revisions({ fromMs: 1_800_000_000_000 })).toEqual([]);
      expect(await revisions({ toMs: 5 })).toEqual([]);
    });

    contractTest("the log keeps its name until it is given another", async () => {
      const store = await openWithLease();
      const { logId } = store;
      expect(logId).toMatch(/^[0-9a-f]{32}$/);
      const again = await reopen(store);
      expect(again.logId).toBe(logId);
      await again.renewLogId();
      const renewed = again.logId;
      expect(renewed).toMatch(/^[0-9a-f]{32}$/);
      expect(renewed).not.toBe(logId);
      expect((await reopen(again)).logId).toBe(renewed);
    });

    contractTest("trimmed events are gone, and asking for them says so", async () => {
      const store = await openWithLease();
      await store.trimEvents(1);
      const again = await reopen(store);
      expect((await contentOf(again)).trimmedRevision).toBe(1);
      expect((await again.readEvents({ since: 1, limit: 9 })).map(({ revision }) => revision)).toEqual([2]);
      const old = Promise.resolve().then(() => again.readEvents({ since: 0, limit: 9 }));
      await expect(old).rejects.toMatchObject({ code: "compacted" });
    });

    contractTest("what is trimmed stays so, and events that are there stay there", async () => {
      const store = await openWithLease();
      await store.trimEvents(1);
      await store.trimEvents(0);
      expect(store.trimmedRevision).toBe(1);
      expect((await store.readEvents({ since: 1, limit: 9 })).map(({ revision }) => revision)).toEqual([2]);
    });

    contractTest("trimming goes on where it ended, and what is left is found by its revision", async () => {
      const store = await openWithLease();
      for (const version of [3, 4])
        await store.commit(batchOf(putLease(null, leaseRecord(network, `10.1.0.${version}`, { version }))));
      for (const revision of [1, 2]) await store.trimEvents(revision);
      expect((await store.readEvents({ since: 2, limit: 9 })).map(({ revision }) => revision)).toEqual([
        3, 4,
      ]);
      expect((await store.eventsAt([1, 2, 3, 4])).map(({ revision }) => revision)).toEqual([3, 4]);
    });

    contractTest("revisions go on where they were after everything was trimmed", async () => {
      const store = await openWithLease();
      await store.trimEvents(99);
      const again = await reopen(store);
      expect(await contentOf(again)).toMatchObject({ revision: 2, trimmedRevision: 2 });
      await again.commit(batchOf(putLease(null, leaseRecord(network, "10.1.0.3", { version: 3 }))));
      expect((await again.readEvents({ since: 2, limit: 9 })).map(({ revision }) => revision)).toEqual([3]);
    });

    contractTest("pages of leases cover all of them once, in the order of space and address", async () => {
      const store = await openWithLease();
      const texts = ["10.1.0.200", "10.1.0.30", "fd00:1::9", "10.1.0.4"];
      const more = texts.map((text, at) => leaseRecord(network, text, { version: 3 + at }));
      await store.commit(batchOf(...more.map((each) => putLease(null, each))));
      const lab = { ...networkRecord("lab", 7), addressSpace: "a-lab" };
      const inLab = leaseRecord(lab, "fd00:1::99", { version: 8, containerId: "other" });
      await store.commit(batchOf(createNetwork(lab), putLease(null, inLab)));
      const seen: LeaseRecord[] = [];
      for (;;) {
        const after = seen.at(-1);
        const page = await store.readLeases({ ...(after && { after }), limit: 2 });
        expect(page.length).toBeLessThanOrEqual(2);
        seen.push(...page);
        if (page.length < 2) break;
      }
      const order = ["fd00:1::99", "10.1.0.2", "10.1.0.4", "10.1.0.30", "10.1.0.200", "fd00:1::9"];
      expect(seen.map(({ address }) => formatAddress(address))).toEqual(order);
    });

    contractTest("events are found by their revisions, those that there are", async () => {
      const store = await openWithLease();
      const [first, second] = await store.readEvents({ since: 0, limit: 9 });
      expect(await store.eventsAt([2, 99, 1])).toEqual([second, first]);
      expect(await store.eventsAt([])).toEqual([]);
    });

    contractTest("networks are read as they were written", async () => {
      const store = await openWithLease();
      expect(await store.readNetworks()).toEqual([network]);
    });

    contractTest("of two stores opened on one storage at most one can commit", async () => {
      const first = await openWithLease();
      const batch = batchOf(putLease(null, leaseRecord(network, "10.1.0.3", { version: 3 })));
      let second: LeaseStore;
      try {
        second = await open();
      } catch (error) {
        expect(storeFailureOf(error)).toBe("locked");
        await first.commit(batch);
        return;
      }
      expect(await failureOf(first, batch)).toBe("fenced");
      await second.commit(batch);
    });

    contractTest("a closed store says that it is closed, and closing again is a success", async () => {
      const store = await openWithLease();
      await store.close();
      await store.close();
      expect(await failureOf(store, { changes: [], events: [] })).toBe("closed");
      const read = Promise.resolve().then(() => store.readEvents({ since: 0, limit: 1 }));
      await expect(read).rejects.toBeInstanceOf(FairleadError);
    });
  });
}
