/**
 * The life of a queue as stories: on the left what happens, on the right what the queue does then, in order.
 *
 * Nothing waits for a real clock: "100 ms pass" moves the only one there is.
 */
import { silentLogger } from "../../lib/log.ts";
import { Problems, problemOf } from "./problems.ts";
import { type Outcome, WorkQueue } from "./work-queue.ts";

/** A queue whose pieces of work end when the story says so, with a diary of what it did. */
class Stage {
  readonly diary: string[] = [];
  readonly problems = new Problems(silentLogger);
  readonly queue = new WorkQueue<string>({
    limits: { firstMs: 100, mostMs: 350 },
    merge: (before, later) => `${before}+${later}`,
    work: (key, wish) => {
      this.diary.push(`begin ${key} ${wish}`);
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      this.#running.set(key, { resolve, reject });
      return promise;
    },
    onSuccess: (key) => {
      if (this.queue.isRunning(key)) this.diary.push(`${key} is not free`);
      if (key === "told") this.diary.push("told is done");
    },
    onFailure: ({ key, againInMs }) => void this.diary.push(`${key} rests ${againInMs} ms`),
    problems: this.problems,
    problemOf: (thrown, key) =>
      (thrown as Error).message === "known" ? null : problemOf(key, thrown as Error),
  });
  readonly #running = new Map<string, Pick<PromiseWithResolvers<Outcome>, "resolve" | "reject">>();

  async tell(event: string): Promise<void> {
    this.#act(event.split(" "));
    await jest.advanceTimersByTimeAsync(0);
  }

  #act([verb = "", key = "", argument = ""]: string[]): void {
    if (verb === "want") this.queue.want(key, argument);
    else if (verb === "hurry") void this.#say(`${key} hurried`, this.queue.wantNow(key, argument));
    else if (verb === "done") this.#end(key).resolve();
    else if (verb === "again")
      this.#end(key).resolve({ inMs: Number(argument), restMs: Number(argument) / 2 });
    else if (verb === "hand-on") this.#end(key).resolve("handed-on");
    else if (verb === "fail") this.#end(key).reject(new Error(argument));
    else if (verb === "failed") this.queue.failed(key, { thrown: new Error("elsewhere"), wish: argument });
    else if (verb === "forget") this.queue.forget(key);
    else if (verb === "keep-only") this.queue.keepOnly(new Set([key]));
    else if (verb === "calm") this.queue.calm(key);
    else if (verb === "idle?") void this.#say("idle", this.queue.idle());
    else if (verb === "close") void this.#say("closed", this.queue.close());
    else if (verb === "pass") jest.advanceTimersByTime(Number(key));
    else throw new Error(`a story has no ${verb}`);
  }

  async #say(what: string, when: Promise<void>): Promise<void> {
    await when;
    this.diary.push(what);
  }

  #end(key: string): Pick<PromiseWithResolvers<Outcome>, "resolve" | "reject"> {
    const running = this.#running.get(key);
    if (!running) throw new Error(`${key} does not run`);
    this.#running.delete(key);
    return running;
  }
}

let stage: Stage;
beforeEach(() => {
  jest.useFakeTimers();
  stage = new Stage();
});
afterEach(() => jest.useRealTimers());

/** Each line: an event, and after ">" what it leads to. */
async function play(story: string): Promise<void> {
  const lines = story.split("\n").filter((line) => line.trim() !== "");
  const told: string[] = [];
  for (const line of lines) {
    const [event = ""] = line.split(">");
    await stage.tell(event.trim());
    told.push(`${event.trim()} > ${stage.diary.splice(0).join(", ")}`.trim());
  }
  const expected = lines.map((line) =>
    line
      .split(">")
      .map((part) => part.trim())
      .join(" > ")
      .trim(),
  );
  expect(told).toEqual(expected);
}

const problems = () => stage.problems.list().map(({ object, message }) => `${object}: ${message}`);

test("a key is worked on at once, and once at a time; what is wished meanwhile is one piece afterwards", () =>
  play(`
    want a one    > begin a one
    want a two    >
    want a three  >
    done a        > begin a two+three
    done a        >
    want a four   > begin a four
  `));

test("keys do not wait for each other", () =>
  play(`
    want a x  > begin a x
    want b x  > begin b x
    fail a y  > a rests 100 ms
    want c x  > begin c x
    done b    >
  `));

test("what failed is tried again, each key by itself, later after every failure, and success begins anew", () =>
  play(`
    want a x  > begin a x
    fail a y  > a rests 100 ms
    pass 50   >
    want b x  > begin b x
    fail b y  > b rests 100 ms
    pass 49   >
    pass 1    > begin a x
    fail a y  > a rests 200 ms
    pass 50   > begin b x
    pass 150  > begin a x
    fail a y  > a rests 350 ms
    pass 350  > begin a x
    fail a y  > a rests 350 ms
    pass 350  > begin a x
    done a    >
    pass 9999 >
    want a x  > begin a x
    fail a y  > a rests 100 ms
  `));

test("a wish for what rests waits with what failed; an urgent one breaks the rest, and takes along what waits", () =>
  play(`
    want a one    > begin a one
    fail a y      > a rests 100 ms
    want a two    >
    pass 99       >
    pass 1        > begin a one+two
    fail a y      > a rests 200 ms
    hurry a three > begin a one+two+three
    done a        > a hurried
    pass 9999     >
  `));

test("what succeeded rests no more, though it had failed before", () =>
  play(`
    want a one  > begin a one
    fail a y    > a rests 100 ms
    hurry a two > begin a one+two
    done a      > a hurried
    want a one  > begin a one
    fail a y    > a rests 100 ms
    hurry a two > begin a one+two
    want a more >
    done a      > begin a more, a hurried
  `));

test("an urgent wish during a piece of work is the next one, unless that fails: then everything waits", () =>
  play(`
    want a one    > begin a one
    hurry a two   >
    done a        > begin a two
    hurry a three >
    fail a y      > a rests 100 ms, a hurried
    pass 100      > begin a two+three
    done a        > a hurried
  `));

test("rounds come again by themselves; between them a wish waits for the end of the rest, an urgent one does not", () =>
  play(`
    want a x      > begin a x
    again a 1000  >
    want a y      >
    pass 499      >
    pass 1        > begin a x+y
    again a 1000  >
    hurry a z     > begin a x+y+z
    again a 1000  > a hurried
    pass 999      >
    pass 1        > begin a x+y+z
  `));

test("what is handed on comes back once whoever took it says that it failed, ever later until it is forgotten", () =>
  play(`
    failed a x  > a rests 100 ms
    pass 100    > begin a x
    hand-on a   >
    pass 9999   >
    failed a x  > a rests 200 ms
    pass 200    > begin a x
    failed a x  > a rests 350 ms
    hand-on a   >
    pass 349    >
    pass 1      > begin a x
    hand-on a   >
    forget a    >
    failed a x  > a rests 100 ms
  `));

test("what is forgotten, or is none of those that are kept, is not tried again", () =>
  play(`
    failed gone x  > gone rests 100 ms
    failed kept x  > kept rests 100 ms
    failed done x  > done rests 100 ms
    forget done    >
    keep-only kept >
    pass 9999      > begin kept x
  `));

test("what runs when its key is forgotten goes on; whether it fails says nothing, and what is wished since waits for its end", () =>
  play(`
    want a old  > begin a old
    forget a    >
    want a new  >
    fail a y    > begin a new
    fail a y    > a rests 100 ms
  `));

test("a key that ran well for long rests as after its first failure", () =>
  play(`
    want a x  > begin a x
    fail a y  > a rests 100 ms
    pass 100  > begin a x
    calm a    >
    calm b    >
    fail a y  > a rests 100 ms
  `));

test("nobody need be told what becomes of a key", async () => {
  let attempts = 0;
  const queue = new WorkQueue({
    limits: { firstMs: 100, mostMs: 100 },
    work: () => {
      attempts++;
      if (attempts === 1) throw new Error("no");
    },
  });
  await queue.wantNow("a");
  await jest.advanceTimersByTimeAsync(100);
  expect([attempts, queue.isIdle]).toEqual([2, true]);
  queue.forget("a");
});

test("without a way to merge them, of several wishes the last one counts", async () => {
  const begun: string[] = [];
  const queue = new WorkQueue<string>({
    limits: { firstMs: 100, mostMs: 100 },
    work: (_key, wish) => void begun.push(wish),
  });
  for (const wish of ["one", "two", "three"]) queue.want("a", wish);
  await queue.idle();
  expect(begun).toEqual(["one", "three"]);
});

test("idle is a queue in which nothing runs and nothing waits", () =>
  play(`
    idle?     > idle
    want a x  > begin a x
    idle?     >
    fail a y  > a rests 100 ms
    pass 100  > begin a x
    done a    > idle
    failed b x > b rests 100 ms
    idle?     >
    forget b  > idle
    want a x  > begin a x
    failed b x > b rests 100 ms
    idle?     >
    forget b  >
    done a    > idle
  `));

test("closing waits for what runs, begins nothing, and lets everybody go who waits", async () => {
  await play(`
    want a x   > begin a x
    failed b x > b rests 100 ms
    hurry a y  >
    idle?      >
    close      > a hurried
    want c x   >
    hurry c x  > c hurried
    failed c x >
    pass 9999  >
    fail a y   > a rests 100 ms, idle, closed
    pass 9999  >
    idle?      > idle
    close      > closed
  `);
  expect(jest.getTimerCount()).toBe(0);
});

test("closing lets go who waits for a queue in which something rests, though nothing runs", () =>
  play(`
    failed a x > a rests 100 ms
    idle?      >
    close      > idle, closed
  `));

test("a key's problem is told until it succeeds or is forgotten", async () => {
  await play(`
    want a x        > begin a x
    fail a trouble  > a rests 100 ms
    failed b x      > b rests 100 ms
    pass 50         >
  `);
  expect(problems()).toEqual(["a: trouble", "b: elsewhere"]);
  await play(`
    pass 50   > begin a x, begin b x
    hand-on b >
  `);
  expect(problems()).toEqual(["a: trouble", "b: elsewhere"]);
  await play("done a >");
  expect(problems()).toEqual(["b: elsewhere"]);
  await play("forget b >");
  expect(problems()).toEqual([]);
});

test("a failure that is told of elsewhere is no problem of its key, and tried again like any other", async () => {
  await play(`
    want a x     > begin a x
    fail a known > a rests 100 ms
    pass 100     > begin a x
  `);
  expect(problems()).toEqual([]);
});

test("success is told when the key is free for what comes, and neither failure nor what was handed on is success", () =>
  play(`
    want told x   > begin told x
    want told y   >
    done told     > told is done, begin told y
    fail told z   > told rests 100 ms
    pass 100      > begin told y
    hand-on told  >
    want told x   > begin told x
    again told 10 > told is done
    pass 10       > begin told x
    forget told   >
    done told     >
  `));

test("whether a key runs, rests, or is wished can be asked", async () => {
  const states = () => [
    stage.queue.isRunning("a"),
    stage.queue.isResting("a"),
    stage.queue.isWanted("a"),
    stage.queue.isIdle,
  ];
  expect(states()).toEqual([false, false, false, true]);
  await stage.tell("want a x");
  expect(states()).toEqual([true, false, false, false]);
  await stage.tell("want a y");
  expect(states()).toEqual([true, false, true, false]);
  await stage.tell("fail a y");
  expect(states()).toEqual([false, true, true, false]);
  await stage.tell("pass 100");
  await stage.tell("hand-on a");
  expect(states()).toEqual([false, false, false, true]);
});
