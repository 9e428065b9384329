import type { PluginCall } from "./history.ts";
import { type CallOutcome, Ledger } from "./ledger.ts";

const ADD: PluginCall = { verb: "ADD", who: 0 };
const DEL: PluginCall = { verb: "DEL", who: 0 };
const DONE: CallOutcome = { kind: "done", addresses: ["10.0.0.2"], publishes: true };
const KILLED: CallOutcome = { kind: "killed" };
const REFUSED: CallOutcome = { kind: "refused", text: "no" };

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger();
});

const phase = (): string => ledger.stay(0).phase;
const call = (one: PluginCall, outcome: CallOutcome): void => ledger.ended(ledger.begun(one), outcome);

test("an ADD makes live with what it answered, and a DEL makes absent", () => {
  expect(phase()).toBe("absent");
  call(ADD, DONE);
  expect(ledger.stay(0)).toMatchObject({ phase: "live", addresses: ["10.0.0.2"], publishes: true });
  call(DEL, DONE);
  expect(ledger.stay(0)).toMatchObject({ phase: "absent", addresses: [], publishes: false });
});

test.each([
  ["ADD", ADD, KILLED],
  ["ADD", ADD, REFUSED],
])("%s without success leaves doubt, and its repetition makes live", (_, one, outcome) => {
  call(one, outcome);
  expect(phase()).toBe("unsure");
  call(one, DONE);
  expect(phase()).toBe("live");
});

test.each([KILLED, REFUSED])("a DEL that ended as %j leaves doubt, and so does one under way", (outcome) => {
  call(ADD, DONE);
  const begun = ledger.begun(DEL);
  expect(phase()).toBe("unsure");
  ledger.ended(begun, outcome);
  expect(phase()).toBe("unsure");
});

test("a second ADD and a CHECK leave what is live alone, whatever becomes of them", () => {
  call(ADD, DONE);
  const before = ledger.stay(0);
  call(ADD, REFUSED);
  call(ADD, KILLED);
  call({ verb: "CHECK", who: 0 }, REFUSED);
  call({ verb: "CHECK", who: 0 }, DONE);
  expect(ledger.stay(0)).toEqual(before);
});

test.each([
  [ADD, DEL],
  [DEL, ADD],
  [ADD, ADD],
])("of two calls at once either may have had the last word: %j and %j", (first, second) => {
  const [one, two] = [ledger.begun(first), ledger.begun(second)];
  ledger.ended(one, DONE);
  ledger.ended(two, DONE);
  expect(phase()).toBe("unsure");
  call(DEL, DONE);
  expect(phase()).toBe("absent");
});

test("calls for other containers are no others", () => {
  const one = ledger.begun(ADD);
  const other = ledger.begun({ verb: "ADD", who: 1 });
  ledger.ended(one, DONE);
  ledger.ended(other, DONE);
  expect(ledger.those("live")).toEqual([0, 1]);
});

test("a reboot takes what was there, and not what was absent", () => {
  call(ADD, DONE);
  call({ verb: "ADD", who: 1 }, KILLED);
  ledger.rebooted();
  expect([ledger.those("lost"), ledger.stay(2).phase]).toEqual([[0, 1], "absent"]);
  call(ADD, DONE);
  expect(phase()).toBe("live");
});

test("whatever happens to a stay, its change is another", () => {
  const changes = [ledger.changes()[0]];
  const note = () => changes.push(ledger.changes()[0]);
  call(ADD, DONE);
  note();
  call(DEL, DONE);
  note();
  call(ADD, DONE);
  note();
  ledger.rebooted();
  note();
  expect(new Set(changes).size).toBe(changes.length);
});
