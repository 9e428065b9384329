/**
 * The service against a model that is too simple to be wrong, under random histories: bursts of concurrent
 * requests, time, failing commits, crashes.
 *
 * The model knows addresses and their states. It does not choose addresses: it judges each answer. A grant
 * must be of one permitted address per pool, a refusal must be deserved, and after each burst the service must
 * list exactly what the model holds.
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
} from "../test/support/ipam-fixture.ts";

const COOLING_MS = 60_000;
/** Pools small enough to run out: .1 is the gateway, .4 is excluded. */
const POOLS = [
  ["10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.6"],
  ["fd00::2", "fd00::3", "fd00::4", "fd00::5", "fd00::6", "fd00::7"],
];
const ADDRESSES = POOLS.flat();
const NETWORK = {
  name: "web",
  subnets: [{ subnet: "10.1.0.0/29", exclusions: ["10.1.0.4"] }, { subnet: "fd00::/125" }],
};

type Op =
  | { op: "acquire"; who: string; node: 1 | 2; asked: string | null; sticky: string; boot: string }
  | { op: "release"; who: string; node: 1 | 2 }
  | { op: "gc"; valid: string[]; node: 1 | 2 }
  | { op: "reserve" | "unreserve" | "quarantine" | "unquarantine"; address: string; sticky: string };

type OpOf<K extends Op["op"]> = Extract<Op, { op: K }>;

type Step = { step: "burst"; ops: Op[]; fail: boolean } | { step: "wait"; ms: number } | { step: "crash" };

interface Holder {
  who: string;
  node: string;
  boot: string;
}

/** What an attachment holds, or held until now, by address. */
type Held = readonly [string, Address][];

class Address {
  holder: Holder | null = null;
  lastWho = "";
  sticky = "";
  untilMs = 0;
  reservedFor: string | null = null;
  isQuarantined = false;
  wasUsed = false;

  state(nowMs: number): string | null {
    if (this.holder !== null) return "bound";
    if (this.isQuarantined) return "quarantined";
    if (this.untilMs > nowMs) return "cooling";
    return this.reservedFor === null ? null : "reserved";
  }

  /** Whether an attachment may be given it; `asked` when it asked for this very one, or holds it till now. */
  mayHave(op: { who: string; sticky: string }, nowMs: number, asked: boolean): boolean {
    if (this.holder !== null || this.isQuarantined) return false;
    const isOwn = this.lastWho === op.who || (op.sticky !== "" && this.sticky === op.sticky);
    if (this.untilMs > nowMs && !isOwn) return false;
    if (this.reservedFor === null) return true;
    return this.reservedFor === "" ? asked : this.reservedFor === op.sticky;
  }

  isOf(sticky: string): boolean {
    return this.sticky === sticky || this.reservedFor === sticky;
  }
}

class Model {
  readonly addresses = new Map(ADDRESSES.map((text) => [text, new Address()]));
  nowMs = 0;

  at(text: string): Address {
    const address = this.addresses.get(text);
    if (address === undefined) throw new Error(`${text} was never to be handed out`);
    return address;
  }

  heldBy(who: string): [string, Address][] {
    return [...this.addresses].filter(([, { holder }]) => holder?.who === who);
  }

  list(): string[] {
    const states = [...this.addresses].map(([text, address]) => [text, address.state(this.nowMs)] as const);
    return states.filter(([, state]) => state !== null).map(([text, state]) => `${text} ${state}`);
  }

  /** `who addresses` of each holder. */
  endpoints(): string[] {
    const whos = new Set([...this.addresses.values()].flatMap(({ holder }) => holder?.who ?? []));
    return [...whos].map((who) => `${who} ${this.heldBy(who).map(([text]) => text)}`);
  }

  free(address: Address): void {
    if (address.holder === null) return;
    address.lastWho = address.holder.who;
    address.holder = null;
    address.untilMs = this.nowMs + COOLING_MS;
  }
}

type Outcome = { value: unknown } | { error: FairleadError };

/** Checks the answer to one operation and brings the model to where the service says it is. */
function judge(model: Model, op: Op, outcome: Outcome): void {
  if (op.op === "acquire") judgeAcquire(model, op, outcome);
  else if ("error" in outcome) judgeRefusal(model, op, outcome.error);
  else if (op.op === "release") judgeRelease(model, op, outcome.value as { released: string[] });
  else if (op.op === "gc") judgeGc(model, op, outcome.value as { released: { containerId: string }[] });
  else applyAdmin(model, op);
}

function judgeAcquire(model: Model, op: OpOf<"acquire">, outcome: Outcome): void {
  const held = model.heldBy(op.who);
  const isForeign = held.some(
    ([, { holder }]) => holder?.node !== `n${op.node}` && !isSameBoot(holder, op.boot),
  );
  if (isForeign) {
    expect(outcome).toMatchObject({ error: { code: "address-in-use" } });
    return;
  }
  if (held.length > 0 && !isReboot(held, op.boot)) judgeRepeated(op, { held, outcome });
  else judgeGrant(model, op, { held, outcome });
}

function isSameBoot(holder: Holder | null, boot: string): boolean {
  return boot !== "" && holder?.boot === boot;
}

function isReboot(held: Held, boot: string): boolean {
  return boot !== "" && held.every(([, { holder }]) => holder?.boot !== "" && holder?.boot !== boot);
}

interface Judged {
  readonly held: Held;
  readonly outcome: Outcome;
}

function judgeRepeated(op: OpOf<"acquire">, { held, outcome }: Judged): void {
  const texts = held.map(([text]) => text);
  if (op.asked !== null && !texts.includes(op.asked)) {
    expect(outcome).toMatchObject({ error: { code: "address-in-use" } });
    return;
  }
  const value = answerOf(outcome) as { created: boolean; addresses: { address: string }[] };
  expect(value.created).toBe(false);
  expect(plain(value)).toEqual(texts);
  for (const [, address] of held) {
    address.holder = { who: op.who, node: `n${op.node}`, boot: op.boot || (address.holder?.boot ?? "") };
    address.sticky = op.sticky || address.sticky;
  }
}

function judgeGrant(model: Model, op: OpOf<"acquire">, { held, outcome }: Judged): void {
  const before = held.map(([, address]) => ({ address, copy: { ...address } }));
  for (const [, address] of held) model.free(address);
  if ("error" in outcome) {
    judgeDeserved(model, op, { held, error: outcome.error });
    for (const { address, copy } of before) Object.assign(address, copy);
    return;
  }
  const value = outcome.value as { created: boolean; addresses: { address: string; sequence: number }[] };
  const texts = plain(value);
  expect(value.created).toBe(true);
  expect(texts).toHaveLength(POOLS.length);
  for (const [at, text] of texts.entries()) {
    const address = model.at(text);
    const pool = POOLS[at] ?? [];
    expect(pool).toContain(text);
    const preferred = preferredOf(model, op, { pool, held });
    const isOwn = held.some(([each]) => each === text);
    expect(address.mayHave(op, model.nowMs, op.asked === text || isOwn)).toBe(true);
    if (op.asked !== null && pool.includes(op.asked)) expect(text).toBe(op.asked);
    else if (preferred.length > 0) expect(preferred).toContain(text);
    else if (op.sticky === "" && held.length === 0) expectOrder(model, pool, text);
    const holder = { who: op.who, node: `n${op.node}`, boot: op.boot };
    Object.assign(address, { holder, sticky: op.sticky, untilMs: 0, wasUsed: true });
  }
}

/** Unasked, the lowest address that was never used comes first, whatever has become free meanwhile. */
function expectOrder(model: Model, pool: readonly string[], text: string): void {
  const fresh = pool.find((each) => !model.at(each).wasUsed);
  if (fresh !== undefined) expect(text).toBe(fresh);
}

/** What goes before the order of `pool`: the address that is taken over, else those of the sticky name. */
function preferredOf(
  model: Model,
  op: OpOf<"acquire">,
  { pool, held }: { pool: readonly string[]; held: Held },
): string[] {
  const mayHave = (text: string, asked: boolean) => model.at(text).mayHave(op, model.nowMs, asked);
  const own = pool.filter((text) => held.some(([each]) => each === text) && mayHave(text, true));
  if (own.length > 0 || op.sticky === "") return own;
  return pool.filter((text) => model.at(text).isOf(op.sticky) && mayHave(text, false));
}

function judgeDeserved(
  model: Model,
  op: OpOf<"acquire">,
  { held, error }: { held: Held; error: FairleadError },
): void {
  if (error.code === "address-in-use") {
    expect(op.asked === null || model.at(op.asked).mayHave(op, model.nowMs, true)).toBe(false);
    return;
  }
  expect(error.code).toBe("pool-exhausted");
  const pool = POOLS[Number(error.details["pool"])] ?? [];
  const asksHere = op.asked !== null && pool.includes(op.asked);
  expect(asksHere).toBe(false);
  expect(pool.filter((text) => model.at(text).state(model.nowMs) === null)).toEqual([]);
  expect(preferredOf(model, op, { pool, held })).toEqual([]);
}

function answerOf(outcome: Outcome): unknown {
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

function judgeRelease(model: Model, op: OpOf<"release">, { released }: { released: string[] }): void {
  const held = model.heldBy(op.who).filter(([, { holder }]) => holder?.node === `n${op.node}`);
  expect(released).toEqual(held.map(([text]) => text));
  for (const [, address] of held) model.free(address);
}

function judgeGc(model: Model, op: OpOf<"gc">, { released }: { released: { containerId: string }[] }): void {
  const whos = released.map(({ containerId }) => containerId);
  for (const who of whos) {
    expect(op.valid).not.toContain(who);
    for (const [, address] of model.heldBy(who)) {
      expect(address.holder?.node).toBe(`n${op.node}`);
      model.free(address);
    }
  }
}

function judgeRefusal(model: Model, op: Op, error: FairleadError): void {
  expect(op.op).toBe("reserve");
  expect(error.code).toBe("address-in-use");
  const address = model.at((op as { address: string }).address);
  expect(address.holder !== null || address.isQuarantined || address.reservedFor !== null).toBe(true);
}

function applyAdmin(model: Model, op: Extract<Op, { address: string }>): void {
  const address = model.at(op.address);
  if (op.op === "reserve") address.reservedFor = op.sticky;
  if (op.op === "unreserve") address.reservedFor = null;
  if (op.op === "quarantine") address.isQuarantined = true;
  if (op.op === "unquarantine") address.isQuarantined = false;
  address.wasUsed ||= op.op === "reserve" || op.op === "quarantine";
}

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
  if (op.op === "unreserve") return service.unreserve("web", address, ADMIN);
  if (op.op === "quarantine") return service.quarantine({ address, reason: "q" }, ADMIN);
  return service.unquarantine(address, undefined, ADMIN);
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
