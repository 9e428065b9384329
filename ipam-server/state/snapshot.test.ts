import fc from "fast-check";
import type { Endpoint, Lease } from "../../lib/ipam/api.ts";
import { ADMIN, keyOf, NODE1, newFixture, useService } from "../../test/support/ipam/ipam-fixture.ts";
import { NetworkSnapshot } from "./snapshot.ts";

const s = useService();

/** More than two pieces of a list. */
const MANY = 700;

async function fill(count: number): Promise<void> {
  await s.f.service.createNetwork(
    { name: "web", subnets: [{ subnet: "10.1.0.0/21" }], coolingSeconds: 0 },
    ADMIN,
  );
  await Promise.all(Array.from({ length: count }, (_, at) => s.acquire(`c${at}`)));
}

/** Takes all of a list, and has `between` called after each piece. */
async function takeSlowly<T>(
  pieces: AsyncIterable<readonly T[]>,
  between: () => Promise<unknown>,
): Promise<T[]> {
  const all: T[] = [];
  for await (const piece of pieces) {
    all.push(...piece);
    await between();
  }
  return all;
}

test("a long list comes in pieces, each lease once, in the order of addresses", async () => {
  await fill(MANY);
  const sizes: number[] = [];
  const leases: Lease[] = [];
  for await (const piece of s.f.service.streamLeases({})) {
    sizes.push(piece.length);
    leases.push(...piece);
  }
  expect(Math.max(...sizes)).toBeLessThan(MANY / 2);
  const numbers = leases.map(({ address }) => {
    const [, , high = "", low = ""] = address.split(".");
    return Number(high) * 256 + Number(low);
  });
  expect(numbers).toEqual(Array.from({ length: MANY }, (_, at) => at + 2));
});

test("what changes while a list is read is not in it", async () => {
  await fill(MANY);
  const { service } = s.f;
  const [leases, endpoints] = [await service.listLeases({}), await service.listEndpoints({})];
  let round = 0;
  const change = async (): Promise<void> => {
    round += 1;
    for (const at of [MANY - round, round]) await s.release(`c${at}`);
    await s.acquire(`new${round}`);
    // There may be as many pieces as leases on a machine that is busy.
    const address = `10.1.${4 + (round >> 8)}.${round & 255}`;
    await service.quarantine({ address, reason: "doubt" }, ADMIN);
    await service.createNetwork({ name: `a${round}` }, ADMIN);
  };
  expect(await takeSlowly(service.streamLeases({}), change)).toEqual(leases);
  expect(round).toBeGreaterThan(1);
  const again = await service.listEndpoints({});
  expect(again).not.toEqual(endpoints);
  expect(await takeSlowly(service.streamEndpoints({}), change)).toEqual(again);
});

test("changes that are taken back leave no trace in a list", async () => {
  await fill(MANY);
  const leases = await s.f.service.listLeases({});
  const failing = async (): Promise<void> => {
    s.f.store.failure = "full";
    await expect(s.f.service.release({ key: keyOf("c650") }, NODE1)).rejects.toMatchObject({
      code: "unavailable",
    });
    s.f.store.failure = null;
    s.f.clock.advance(2_000);
  };
  expect(await takeSlowly(s.f.service.streamLeases({}), failing)).toEqual(leases);
});

test("a list that nobody reads to its end is told of no change any more", async () => {
  await fill(MANY);
  for await (const piece of s.f.service.streamLeases({})) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  const told = jest.spyOn(NetworkSnapshot.prototype, "beforeChange");
  await s.release("c650");
  expect(told).not.toHaveBeenCalled();
  jest.restoreAllMocks();
  expect((await s.f.service.checkConsistency()).findings).toEqual([]);
});

test("requests that come while a list is read are served before its end", async () => {
  await fill(MANY);
  const order: string[] = [];
  const listed = s.f.service.listLeases({}).then(() => order.push("list"));
  const acquired = s.acquire("late").then(() => order.push("acquire"));
  await Promise.all([listed, acquired]);
  expect(order).toEqual(["acquire", "list"]);
});

test("random changes between the pieces of lists of two families lead to what there was before", async () => {
  const op = fc.record({
    who: fc.integer({ min: 0, max: 239 }),
    kind: fc.constantFrom("acquire", "release", "quarantine"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 1, maxLength: 40 }), async (ops) => {
      const { service } = await newFixture();
      await service.createNetwork({ name: "web", ipv6: true, subnets: [{ subnet: "10.1.0.0/23" }] }, ADMIN);
      await Promise.all(
        Array.from({ length: 230 }, (_, at) => service.acquire({ key: keyOf(`c${at}`) }, NODE1)),
      );
      const before: [readonly Lease[], readonly Endpoint[]] = [
        await service.listLeases({}),
        await service.listEndpoints({}),
      ];
      const [leases, endpoints] = [service.streamLeases({}), service.streamEndpoints({})].map((pieces) =>
        pieces[Symbol.asyncIterator](),
      );
      const first = [await leases?.next(), await endpoints?.next()];
      for (const { who, kind } of ops) {
        if (kind === "acquire") await service.acquire({ key: keyOf(`c${who}`) }, NODE1);
        else if (kind === "release") await service.release({ key: keyOf(`c${who}`) }, NODE1);
        else await service.quarantine({ address: `10.1.0.${who + 2}`, reason: "q" }, ADMIN);
      }
      const rest = async (
        pieces: AsyncIterator<readonly unknown[]> | undefined,
        at: number,
      ): Promise<unknown[]> => {
        const all = [...((first[at]?.value as readonly unknown[] | undefined) ?? [])];
        for (let next = await pieces?.next(); next?.done === false; next = await pieces?.next())
          all.push(...next.value);
        return all;
      };
      expect([await rest(leases, 0), await rest(endpoints, 1)]).toEqual(before);
      expect((await service.checkConsistency()).findings).toEqual([]);
      await service.close();
    }),
    { numRuns: 12 },
  );
}, 60_000);
