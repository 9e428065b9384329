import { type RaceResult, race } from "./race.ts";
import type { Upstream } from "./servers.ts";

const [FIRST, SECOND, THIRD] = [1, 2, 3].map((host) => ({ address: `192.0.2.${host}`, port: 53 })) as [
  Upstream,
  Upstream,
  Upstream,
];

const answerWith = (code: number): Uint8Array => Uint8Array.of(0, 0, 0x80, code);
const GOOD = answerWith(0);

interface Asked {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (reason: Error) => void;
  readonly signal: AbortSignal;
}

let asked: Map<Upstream, Asked>;
let caller: AbortController;

beforeEach(() => {
  jest.useFakeTimers();
  asked = new Map();
  caller = new AbortController();
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

function start(...upstreams: Upstream[]): Promise<RaceResult> {
  const ask = (upstream: Upstream, signal: AbortSignal) =>
    new Promise<Uint8Array>((resolve, reject) => asked.set(upstream, { resolve, reject, signal }));
  return race({ upstreams, ask, signal: caller.signal, nextAfterMs: 1_000, totalMs: 5_000 });
}

test("the first that answers is the only one asked", async () => {
  const over = start(FIRST, SECOND);
  asked.get(FIRST)?.resolve(GOOD);
  expect(await over).toEqual({ answer: GOOD, silent: [], answered: [FIRST] });
  expect([...asked.keys()]).toEqual([FIRST]);
});

test("after a second of silence the next is asked; the first may still answer", async () => {
  const over = start(FIRST, SECOND, THIRD);
  await jest.advanceTimersByTimeAsync(999);
  expect([...asked.keys()]).toEqual([FIRST]);
  await jest.advanceTimersByTimeAsync(1);
  expect([...asked.keys()]).toEqual([FIRST, SECOND]);
  asked.get(FIRST)?.resolve(GOOD);
  // It answered after all.
  expect(await over).toEqual({ answer: GOOD, silent: [], answered: [FIRST] });
  expect(asked.get(SECOND)?.signal.aborted).toBe(true);
});

test("who was silent is named when another answers", async () => {
  const over = start(FIRST, SECOND);
  await jest.advanceTimersByTimeAsync(1_000);
  asked.get(SECOND)?.resolve(GOOD);
  expect(await over).toEqual({ answer: GOOD, silent: [FIRST], answered: [SECOND] });
});

test.each([2, 4, 5])("code %i makes the next be asked at once; a good answer counts more", async (code) => {
  const over = start(FIRST, SECOND);
  asked.get(FIRST)?.resolve(answerWith(code));
  await jest.advanceTimersByTimeAsync(0);
  asked.get(SECOND)?.resolve(GOOD);
  expect(await over).toEqual({ answer: GOOD, silent: [], answered: [FIRST, SECOND] });
});

test("one that cannot be reached makes the next be asked at once", async () => {
  const over = start(FIRST, SECOND);
  asked.get(FIRST)?.reject(new Error("refused"));
  await jest.advanceTimersByTimeAsync(0);
  asked.get(SECOND)?.resolve(GOOD);
  expect(await over).toEqual({ answer: GOOD, silent: [FIRST], answered: [SECOND] });
});

test("when all said that they cannot, that is the answer, at once", async () => {
  const over = start(FIRST, SECOND);
  asked.get(FIRST)?.resolve(answerWith(5));
  await jest.advanceTimersByTimeAsync(0);
  asked.get(SECOND)?.reject(new Error("refused"));
  expect(await over).toEqual({ answer: answerWith(5), silent: [SECOND], answered: [FIRST] });
});

test("while one may still answer, those that cannot end nothing", async () => {
  const over = start(FIRST, SECOND);
  await jest.advanceTimersByTimeAsync(1_000);
  asked.get(SECOND)?.resolve(answerWith(2));
  await jest.advanceTimersByTimeAsync(3_500);
  asked.get(FIRST)?.resolve(GOOD);
  expect((await over).answer).toBe(GOOD);
});

test("after five seconds it is over", async () => {
  const over = start(FIRST);
  await jest.advanceTimersByTimeAsync(4_999);
  expect(asked.get(FIRST)?.signal.aborted).toBe(false);
  await jest.advanceTimersByTimeAsync(1);
  expect(await over).toEqual({ answer: null, silent: [FIRST], answered: [] });
  expect(asked.get(FIRST)?.signal.aborted).toBe(true);
});

test("with nobody to ask, and for nobody who waits, it is over at once", async () => {
  expect((await start()).answer).toBeNull();
  const over = start(FIRST);
  caller.abort();
  expect((await over).answer).toBeNull();
  expect(asked.get(FIRST)?.signal.aborted).toBe(true);
  expect((await start(FIRST)).answer).toBeNull();
});
