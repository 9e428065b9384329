/**
 * The service against a model that is too simple to be wrong, under random histories: bursts of concurrent
 * requests, time, failing commits, crashes.
 *
 * The model knows addresses and their states. It does not choose addresses: it judges each answer. After each burst
 * the service must list exactly what the model holds.
 */

import fc from "fast-check";
import { FairleadError } from "../lib/errors.ts";
import {
  ADMIN,
  asking,
  brief,
  type Fixture,
  keyOf,
  NODE1,
  NODE2,
  newFixture,
  plain,
} from "../test/support/ipam/ipam-fixture.ts";
import { judge, type Outcome } from "../test/support/ipam/ipam-judge.ts";
import { ADDRESSES, COOLING_MS, Model, NETWORK, type Op } from "../test/support/ipam/ipam-model.ts";

type Step = { step: "burst"; ops: Op[]; fail: boolean } | { step: "wait"; ms: number } | { step: "crash" };

function send({ service }: Fixture, op: Op): Promise<unknown> {
  if (op.op === "acquire") {
    const wishes = {
      ...(op.asked !== null && { requestedAddresses: [op.asked] }),
      ...(op.sticky !== "" && { stickyName: op.sticky }),
      ...(op.boot !== "" && { bootId: op.boot }),
    };
    return service.acquire(asking(op.who, wishes), op.node === 1 ? NODE1 : NODE2);
  }
  const caller = "node" in op && op.node === 2 ? NODE2 : NODE1;
  if (op.op === "release") return service.release({ key: keyOf(op.who) }, caller);
  if (op.op === "gc") {
    const validAttachments = op.valid.map((containerId) => ({ containerId, ifname: "eth0" }));
    return service.gc({ networkName: "web", validAttachments }, caller);
  }
  const { address, sticky: stickyName } = op;
  if (op.op === "reserve")
    return service.reserve({ networkName: "web", address, stickyName, reason: "r" }, ADMIN);
  if (op.op === "unreserve") return service.unreserve({ networkName: "web", address }, ADMIN);
  if (op.op === "quarantine") return service.quarantine({ address, reason: "q" }, ADMIN);
  return service.unquarantine({ address }, ADMIN);
}

async function outcomeOf(answer: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await answer };
  } catch (error) {
    if (error instanceof FairleadError) return { error };
    throw error;
  }
}

async function burst(
  fixture: Fixture,
  model: Model,
  { ops, fail }: Extract<Step, { step: "burst" }>,
): Promise<void> {
  fixture.store.failure = fail ? "full" : null;
  const failedBefore = fixture.store.failedCommits;
  const outcomes = await Promise.all(ops.map((op) => outcomeOf(send(fixture, op))));
  fixture.store.failure = null;
  if (fixture.store.failedCommits === failedBefore) {
    for (const [at, op] of ops.entries()) judge(model, op, outcomes[at] ?? { value: null });
    return;
  }
  for (const [at, op] of ops.entries()) {
    const isUnavailable = { error: { code: "unavailable" } };
    if (op.op !== "gc" || "error" in (outcomes[at] ?? {})) expect(outcomes[at]).toMatchObject(isUnavailable);
    else expect(outcomes[at]).toEqual({ value: { released: [] } });
  }
  fixture.clock.advance(1000);
  model.nowMs += 1000;
}

async function checkAgainst(fixture: Fixture, model: Model): Promise<void> {
  expect(brief(await fixture.service.listLeases({})).sort()).toEqual(model.list().sort());
  const endpoints = await fixture.service.listEndpoints({ networkName: "web" });
  const shown = endpoints.map((endpoint) => `${endpoint.containerId} ${plain(endpoint)}`);
  expect(shown.sort()).toEqual(model.endpoints().sort());
  expect((await fixture.service.checkConsistency()).findings).toEqual([]);
  const { pools } = await fixture.service.networkStatus({ networkName: "web" }, NODE1);
  for (const { size, bound, cooling, quarantined, withheld, free } of pools) {
    expect(bound + cooling + quarantined + Number(withheld) + Number(free)).toBe(Number(size));
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  let fixture = await newFixture();
  await fixture.service.createNetwork(NETWORK, ADMIN);
  const model = new Model();
  model.nowMs = fixture.clock.now();
  for (const step of steps) {
    if (step.step === "wait") {
      fixture.clock.advance(step.ms);
      model.nowMs += step.ms;
    } else if (step.step === "crash") fixture = await fixture.reopen();
    else await burst(fixture, model, step);
    await checkAgainst(fixture, model);
  }
  await fixture.service.close();
}

const who = fc.constantFrom("a", "b", "c", "d", "e", "f", "g");
const node = fc.constantFrom<1 | 2>(1, 1, 1, 2);
const sticky = fc.constantFrom("", "", "db-0", "db-1");
const address = fc.constantFrom(...ADDRESSES);
const asked = fc.option(address, { freq: 3 });
const boot = fc.constantFrom("", "", "one", "two");
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant("acquire" as const), who, node, asked, sticky, boot }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("release" as const), who, node }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("gc" as const), valid: fc.subarray(["a", "b", "c", "d"]), node }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom(
        "reserve" as const,
        "unreserve" as const,
        "quarantine" as const,
        "unquarantine" as const,
      ),
      address,
      sticky,
    }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      step: fc.constant("burst" as const),
      ops: fc.array(op, { minLength: 1, maxLength: 6 }),
      fail: fc.integer({ min: 0, max: 9 }).map((each) => each === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constant("wait" as const), ms: fc.constantFrom(1, 30_000, COOLING_MS) }),
  },
  { weight: 1, arbitrary: fc.constant({ step: "crash" as const }) },
);

test("no history of requests, failures and crashes leads the service away from the model", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), run), { numRuns: 400 });
}, 120_000);
