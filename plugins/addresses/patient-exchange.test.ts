import { FairleadError } from "../../lib/errors.ts";
import { refusalOf } from "../../test/support/failures.ts";
import { beginPatiently } from "./patient-exchange.ts";

const ANSWER = new Uint8Array([1]);
const away = new FairleadError({ code: "unavailable", operation: "connect to", reason: "nobody listens" });
const reset = new FairleadError({ code: "unavailable", operation: "talk to", reason: "it hung up" });
const late = new FairleadError({ code: "timeout", operation: "talk to", reason: "no answer" });

const refused = new FairleadError({ code: "invalid-config", operation: "talk to", reason: "no such socket" });

type Step = "answers" | "is away" | "hangs up" | "is late" | "is refused";

/** What each sending meets; the last one for ever. */
function exchange(steps: readonly Step[], patienceMs = 60_000) {
  const log: string[] = [];
  let sent = 0;
  const send = () => {
    const step = steps[Math.min(sent, steps.length - 1)];
    sent += 1;
    if (step === "is away") throw away;
    if (step === "is refused") throw refused;
    return () => {
      if (step === "hangs up") throw reset;
      if (step === "is late") throw late;
      return ANSWER;
    };
  };
  const begin = () =>
    beginPatiently({ send, patienceMs: () => patienceMs, log: (line) => log.push(line), sleepMs: () => {} });
  return { begin, log, count: () => sent };
}

test("what is answered is sent once, and nothing is said", () => {
  const { begin, log, count } = exchange(["answers"]);
  expect(begin()()).toBe(ANSWER);
  expect([count(), log]).toEqual([1, []]);
});

test.each<[Step[]]>([[["is away", "answers"]], [["hangs up", "is away", "hangs up", "answers"]]])(
  "%j: it is sent again until it is answered, and the log says so once",
  (steps) => {
    const { begin, log, count } = exchange(steps);
    expect(begin()()).toBe(ANSWER);
    expect(count()).toBe(steps.length);
    expect(log).toEqual([expect.stringContaining("trying again")]);
  },
);

test("without patience the first failure is the last; what never left is told from what may have arrived", () => {
  const gone = { reason: away.reason, details: { wasSent: false } };
  expect(refusalOf(() => exchange(["is away"], 0).begin())).toMatchObject(gone);
  const finish = exchange(["hangs up"], 0).begin();
  expect(refusalOf(finish)).toMatchObject({ code: "unavailable", details: { wasSent: true } });
});

test("the end of patience: the last failure, which knows whether anything was sent", () => {
  const elapsed = jest.spyOn(performance, "now");
  const run = (steps: readonly Step[]) => {
    elapsed.mockReturnValue(0);
    const finish = exchange(steps, 100).begin();
    let now = 0;
    elapsed.mockImplementation(() => (now += 40));
    return refusalOf(finish);
  };
  expect(run(["is away"])).toMatchObject({ reason: away.reason, details: { wasSent: false } });
  expect(run(["hangs up", "is away"])).toMatchObject({ reason: away.reason, details: { wasSent: true } });
  elapsed.mockRestore();
});

test("what no patience mends is told at once, before anything else is done meanwhile", () => {
  const { begin, count } = exchange(["is refused"]);
  const wanted = { code: "invalid-config", details: { wasSent: false } };
  expect(refusalOf(begin)).toMatchObject(wanted);
  expect(count()).toBe(1);
});

test("a time limit is not a lost peer: nothing is sent again", () => {
  const { begin, count } = exchange(["is late"]);
  expect(refusalOf(begin()).code).toBe("timeout");
  expect(count()).toBe(1);
});

test("what the last sending met is told whole", () => {
  const met = {
    code: "unavailable",
    operation: "talk to",
    object: "/run/ipam.sock",
    reason: "it hung up",
  } as const;
  const cause = new Error("ECONNRESET");
  const failure = new FairleadError({
    ...met,
    hint: "start it",
    details: { errnoName: "ECONNRESET" },
    cause,
  });
  const send = () => () => {
    throw failure;
  };
  const finish = beginPatiently({ send, patienceMs: () => 0, log: () => {}, sleepMs: () => {} });
  const details = { errnoName: "ECONNRESET", wasSent: true };
  expect(refusalOf(finish)).toMatchObject({ ...met, hint: "start it", details, cause });
});
