/**
 * Several conflists on one subnet, under random histories: ranges move and meet, containers come and go, addresses are put into
 * quarantine and set aside, networks are removed, commits fail, the server crashes.
 *
 * The model knows who holds which address, whatever the network, and what is out of use. No answer may give what somebody else
 * has, what is out of use or what nobody hands out; a refusal for the sake of another network must be that network's due.
 */
import fc from "fast-check";
import { FairleadError } from "../../lib/errors.ts";
import type { Lease, NetworkDeclaration } from "../../lib/ipam/api.ts";
import {
  ADMIN,
  type Fixture,
  keyOf,
  NODE1,
  newFixture,
  plain,
} from "../../test/support/ipam/ipam-fixture.ts";

const NAMES = ["lan1", "lan2", "lan3"] as const;
const CONTAINERS = ["x", "y", "z"] as const;
const SUBNET = "10.93.0.0/28";
const text = (host: number): string => `10.93.0.${host}`;
/** .1 is the gateway, .15 the broadcast address; .7 is excluded by who says so. */
/** Few, so that a declaration comes again after another network's has come between. */
const RANGES: readonly (readonly [from: number, to: number])[] = [
  [2, 4],
  [3, 5],
  [5, 7],
  [6, 9],
  [2, 9],
];
const HOSTS = Array.from({ length: 8 }, (_, at) => at + 2);

type Op =
  | {
      op: "acquire";
      name: string;
      who: string;
      from: number;
      to: number;
      excludes: boolean;
      asked: number | null;
    }
  | { op: "release"; name: string; who: string }
  | { op: "remove"; name: string }
  | { op: "quarantine" | "unquarantine" | "reserve"; name: string; host: number };
type Step = { step: "op"; op: Op; fail: boolean } | { step: "wait" } | { step: "crash" };

class Model {
  /** Address → `network/container`. */
  readonly held = new Map<string, string>();
  readonly quarantined = new Set<string>();
  readonly reserved = new Set<string>();
}

function declarationOf({ from, to, excludes }: Extract<Op, { op: "acquire" }>): NetworkDeclaration {
  const exclude = excludes ? { exclude: [text(7)] } : {};
  return { rangeSets: [[{ subnet: SUBNET, rangeStart: text(from), rangeEnd: text(to), ...exclude }]] };
}

function send({ service }: Fixture, op: Op): Promise<unknown> {
  if (op.op === "acquire") {
    const asked = op.asked === null ? {} : { requestedAddresses: [text(op.asked)] };
    const key = keyOf(op.who, op.name);
    return service.acquire({ key, declaration: declarationOf(op), ...asked }, NODE1).then(plain);
  }
  if (op.op === "release") return service.release({ key: keyOf(op.who, op.name) }, NODE1);
  if (op.op === "remove") return service.removeNetwork({ name: op.name }, ADMIN);
  const address = text(op.host);
  if (op.op === "quarantine") return service.quarantine({ address, reason: "seen" }, ADMIN);
  if (op.op === "unquarantine") return service.unquarantine({ address }, ADMIN);
  return service.reserve({ networkName: op.name, address }, ADMIN);
}

function judgeGrant(
  model: Model,
  op: Extract<Op, { op: "acquire" }>,
  [address = ""]: readonly string[],
): void {
  const holder = `${op.name}/${op.who}`;
  // Of a range that is none of those that it has an address of, it gets another one.
  if (model.held.get(address) === holder) return;
  const host = Number(address.split(".")[3]);
  expect([host >= op.from && host <= op.to, host === 1 || (op.excludes && host === 7)]).toEqual([
    true,
    false,
  ]);
  expect([address, model.held.get(address)]).toEqual([address, undefined]);
  expect([address, model.quarantined.has(address)]).toEqual([address, false]);
  expect([address, model.reserved.has(address) && op.asked !== host]).toEqual([address, false]);
  model.held.set(address, holder);
  model.reserved.delete(address);
}

function follow(model: Model, op: Op, value: unknown): void {
  if (op.op === "acquire") judgeGrant(model, op, value as string[]);
  else if (op.op === "release")
    for (const [address, holder] of model.held) {
      if (holder === `${op.name}/${op.who}`) model.held.delete(address);
    }
  else if (op.op === "quarantine") model.quarantined.add(text(op.host));
  else if (op.op === "unquarantine") model.quarantined.delete(text(op.host));
  else if (op.op === "reserve") model.reserved.add(text(op.host));
}

/** What is in a network's way must hold something, or it had given way. */
function judgeRefusal(model: Model, error: FairleadError, leases: readonly Lease[]): void {
  if (error.code !== "subnet-overlap") return;
  const { otherNetwork } = error.details;
  const holding = leases.filter(
    ({ networkName, state, address }) =>
      networkName === otherNetwork && (state !== "cooling" || model.reserved.has(address)),
  );
  expect([error.message, holding.length > 0]).toEqual([error.message, true]);
}

async function perform(fixture: Fixture, model: Model, { op, fail }: { op: Op; fail: boolean }) {
  const leases = await fixture.service.listLeases({});
  fixture.store.failure = fail ? "full" : null;
  const failedBefore = fixture.store.failedCommits;
  const outcome = await send(fixture, op).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  fixture.store.failure = null;
  if (fixture.store.failedCommits > failedBefore) fixture.clock.advance(1000);
  else if ("error" in outcome) {
    if (!(outcome.error instanceof FairleadError)) throw outcome.error;
    // The store refuses what memory should never have decided, and ends the service.
    expect([outcome.error.message, outcome.error.code]).not.toEqual([expect.anything(), "unavailable"]);
    judgeRefusal(model, outcome.error, leases);
  } else {
    follow(model, op, outcome.value);
    if (op.op === "remove")
      forget(
        model,
        leases.filter(({ networkName }) => networkName === op.name),
      );
  }
}

/** What was out of use in a network that went. */
function forget(model: Model, leases: readonly Lease[]): void {
  for (const { address } of leases) {
    model.quarantined.delete(address);
    model.reserved.delete(address);
  }
}

/** Bound and quarantined addresses are the model's, each once; nothing contradicts itself. */
async function checkAgainst({ service }: Fixture, model: Model): Promise<void> {
  const leases = await service.listLeases({});
  expect(new Set(leases.map(({ address }) => address)).size).toBe(leases.length);
  const bound = leases.filter(({ state }) => state === "bound");
  expect(
    bound.map(({ address, networkName, containerId }) => [address, `${networkName}/${containerId}`]).sort(),
  ).toEqual([...model.held].sort());
  const quarantined = leases.filter(({ state }) => state === "quarantined").map(({ address }) => address);
  expect(quarantined.sort()).toEqual(
    [...model.quarantined].filter((address) => !model.held.has(address)).sort(),
  );
  const errors = (await service.checkConsistency()).findings.filter(({ severity }) => severity === "error");
  expect(errors).toEqual([]);
}

async function run(steps: readonly Step[]): Promise<void> {
  let fixture = await newFixture();
  const model = new Model();
  for (const step of steps) {
    if (step.step === "wait") fixture.clock.advance(61_000);
    else if (step.step === "crash") fixture = await fixture.reopen();
    else await perform(fixture, model, step);
    await checkAgainst(fixture, model);
  }
  await fixture.service.close();
}

const name = fc.constantFrom(...NAMES);
const who = fc.constantFrom(...CONTAINERS);
const host = fc.constantFrom(...HOSTS);
const acquire = fc
  .record({
    op: fc.constant("acquire" as const),
    name,
    who,
    range: fc.constantFrom(...RANGES),
    excludes: fc.integer({ min: 0, max: 4 }).map((each) => each === 0),
    place: fc.option(fc.nat(12), { freq: 2 }),
  })
  .map(({ range: [from, to], place, ...rest }) => {
    const asked = place === null ? null : from + (place % (to - from + 1));
    return { ...rest, from, to, asked };
  });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 12, arbitrary: acquire },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("release" as const), name, who }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("remove" as const), name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom("quarantine" as const, "unquarantine" as const, "reserve" as const),
      name,
      host,
    }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      step: fc.constant("op" as const),
      op,
      fail: fc.integer({ min: 0, max: 9 }).map((each) => each === 0),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ step: "wait" as const }) },
  { weight: 1, arbitrary: fc.constant({ step: "crash" as const }) },
);

test("no history gives one address to two, whatever their networks and ranges", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 25, maxLength: 45 }), run), {
    numRuns: 60,
  });
}, 240_000);
