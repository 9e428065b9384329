import { LateAskers } from "./late-askers.ts";

let late: LateAskers;
let known: Set<string>;
/** How each wait ended. */
let ends: Record<string, boolean>;

beforeEach(() => {
  jest.useFakeTimers();
  late = new LateAskers({ perNetwork: 2, waitMs: 1_000 });
  [known, ends] = [new Set(), {}];
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

function wait(networkName: string, name: string): void {
  void late
    .wait(networkName, () => known.has(name))
    .then((isKnown) => {
      ends[name] = isKnown;
    });
}

async function pass(ms: number): Promise<typeof ends> {
  await jest.advanceTimersByTimeAsync(ms);
  return ends;
}

test("who becomes known goes on with the next change of his network, the others wait", async () => {
  wait("net", "a");
  wait("net", "b");
  known.add("a");
  late.changed("other");
  expect(await pass(0)).toEqual({});
  late.changed("net");
  expect(await pass(0)).toEqual({ a: true });
  known.add("b");
  late.changed("net");
  expect(await pass(0)).toEqual({ a: true, b: true });
});

test("a wait ends when its time is up, and says whether that was in vain", async () => {
  wait("net", "known");
  wait("net", "nobody");
  known.add("known");
  expect(await pass(999)).toEqual({});
  expect(await pass(1)).toEqual({ known: true, nobody: false });
});

test("of one network only so many wait, and who has ended makes room", async () => {
  for (const name of ["a", "b", "c"]) wait("net", name);
  wait("other", "d");
  expect(await pass(0)).toEqual({ c: false });
  known.add("a");
  late.changed("net");
  wait("net", "e");
  wait("net", "f");
  expect(await pass(0)).toEqual({ a: true, c: false, f: false });
  await pass(1_000);
  ends = {};
  for (const name of ["g", "h", "i"]) wait("net", name);
  expect(await pass(0)).toEqual({ i: false });
  await pass(1_000);
});
