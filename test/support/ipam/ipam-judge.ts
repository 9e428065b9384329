/**
 * Judges answers of the IPAM service by the model: a grant must be of one permitted address per pool, and a refusal must be
 * deserved.
 */
import type { FairleadError } from "../../../lib/errors.ts";
import { plain } from "./ipam-fixture.ts";
import { type Held, type Holder, type Model, type Op, type OpOf, POOLS } from "./ipam-model.ts";

/** How one request ended. */
export type Outcome = { value: unknown } | { error: FairleadError };

/** Checks the answer to one operation and brings the model to where the service says it is. */
export function judge(model: Model, op: Op, outcome: Outcome): void {
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
    expect(address.mayHave(op, op.asked === text || isOwn)).toBe(true);
    if (op.asked !== null && pool.includes(op.asked)) expect(text).toBe(op.asked);
    else if (preferred.length > 0) expect(preferred).toContain(text);
    else expectOrder(model, pool, text);
    const holder = { who: op.who, node: `n${op.node}`, boot: op.boot };
    Object.assign(address, { holder, sticky: op.sticky, untilMs: 0, wasUsed: true });
  }
}

/**
 * Unasked, the lowest address that was never used comes first, whatever has become free meanwhile, and one that cools
 * last, that one first whose cooling ends first.
 */
function expectOrder(model: Model, pool: readonly string[], text: string): void {
  const fresh = pool.find((each) => !model.at(each).wasUsed);
  if (fresh !== undefined) expect(text).toBe(fresh);
  const free = pool.filter((each) => model.at(each).mayHave({ sticky: "" }, false));
  const untils = free.map((each) => Math.max(model.at(each).untilMs, model.nowMs));
  expect(Math.max(model.at(text).untilMs, model.nowMs)).toBe(Math.min(...untils));
}

/**
 * What goes before the order of `pool`: the address that is taken over, those reserved for the sticky name, those that
 * the container had, those that the name had.
 */
function preferredOf(
  model: Model,
  op: OpOf<"acquire">,
  { pool, held }: { pool: readonly string[]; held: Held },
): string[] {
  const own = pool.filter((text) => held.some(([each]) => each === text) && model.at(text).mayHave(op, true));
  if (own.length > 0) return own;
  const free = pool.filter((text) => model.at(text).mayHave(op, false));
  const reserved = free.filter((text) => op.sticky !== "" && model.at(text).reservedFor === op.sticky);
  if (reserved.length > 0) return reserved;
  const left = free.filter((text) => model.at(text).lastWho === op.who);
  return left.length > 0
    ? left
    : free.filter((text) => op.sticky !== "" && model.at(text).sticky === op.sticky);
}

function judgeDeserved(
  model: Model,
  op: OpOf<"acquire">,
  { held, error }: { held: Held; error: FairleadError },
): void {
  if (error.code === "address-in-use") {
    expect(op.asked === null || model.at(op.asked).mayHave(op, true)).toBe(false);
    return;
  }
  expect(error.code).toBe("pool-exhausted");
  const pool = POOLS[Number(error.details["pool"])] ?? [];
  const asksHere = op.asked !== null && pool.includes(op.asked);
  expect(asksHere).toBe(false);
  const own = held.map(([text]) => text);
  expect(pool.filter((text) => model.at(text).mayHave(op, own.includes(text)))).toEqual([]);
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
