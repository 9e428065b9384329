import { FairleadError } from "../errors.ts";
import type { Event } from "../ipam/api.ts";
import { watchEvents } from "./watch.ts";

const event = (revision: number): Event => ({ revision }) as Event;

test("every event once and in order, however often the connection breaks", async () => {
  const log = Array.from({ length: 20 }, (_, at) => event(at + 1));
  const asked: string[] = [];
  const seen: number[] = [];
  await new Promise<void>((resolve) => {
    const stop = watchEvents({
      since: { revision: 3, logId: "log" },
      onEvent: ({ revision }) => {
        seen.push(revision);
        if (revision === 20) {
          stop();
          resolve();
        }
      },
      onEnd: () => {},
      // Each connection repeats one event that was had, brings four more, then breaks.
      open: async ({ revision: since, logId }, onEvent) => {
        asked.push(`${logId}:${since}`);
        for (const one of log.slice(since - 1, since + 4)) onEvent(one);
        throw new FairleadError({ code: "unavailable", operation: "read", reason: "broken" });
      },
    });
  });
  expect(seen).toEqual(Array.from({ length: 17 }, (_, at) => at + 4));
  expect(asked).toEqual([3, 7, 11, 15, 19].map((revision) => `log:${revision}`));
});

test.each(["compacted", "unauthenticated", "permission-denied"] as const)(
  "%s ends the watch, and is told",
  async (code) => {
    let opened = 0;
    const error = await new Promise<FairleadError>((resolve) => {
      watchEvents({
        since: { revision: 1 },
        onEvent: () => {},
        onEnd: resolve,
        open: async () => {
          opened++;
          throw new FairleadError({ code, operation: "watch", reason: "no" });
        },
      });
    });
    expect([error.code, opened]).toEqual([code, 1]);
  },
);

test("after the stop nothing is called back, and nothing is opened", async () => {
  jest.useFakeTimers();
  const seen: number[] = [];
  let opened = 0;
  let feed = (_: Event): void => {};
  const stop = watchEvents({
    since: { revision: 0 },
    onEvent: ({ revision }) => seen.push(revision),
    onEnd: () => seen.push(-1),
    open: (_since, onEvent, signal) => {
      opened++;
      feed = onEvent;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    },
  });
  feed(event(1));
  stop();
  feed(event(2));
  await jest.advanceTimersByTimeAsync(60_000);
  jest.useRealTimers();
  expect([seen, opened]).toEqual([[1], 1]);
});
