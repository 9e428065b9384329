import { once } from "node:events";
import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { useHttpFront } from "../../../test/support/ipam/http-front.ts";
import { settleTurns } from "../../../test/support/turns.ts";
import { exceedsDepth } from "./json-body.ts";

const s = useHttpFront();

/** Depth of a parsed value, by walking it. */
function depthOf(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("the depth of a text is that of its value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      const depth = depthOf(value);
      expect([exceedsDepth(text, depth), exceedsDepth(text, depth - 1)]).toEqual([false, depth > 0]);
    }),
  );
});

test.each([
  ['"[[[["', 0, false],
  ['"\\"[[[["', 0, false],
  ['"\\\\"[', 0, true],
  ["[][][]", 1, false],
  ["[".repeat(1_000_000), 32, true],
])("%.20s within %i", (text, limit, exceeds) => {
  expect(exceedsDepth(text, limit)).toBe(exceeds);
});

describe("a body that was announced", () => {
  const HEAD = "POST /v1/attachments/gc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask", "performance", "Date"] });
  });
  afterEach(() => jest.useRealTimers());

  async function begin(text: string): Promise<Socket> {
    const arrived = once(s.front.front.server, "request");
    const socket = connect(s.front.socket, () => socket.write(text)).on("error", () => {});
    await arrived;
    await settleTurns();
    return socket;
  }

  test("and does not come within ten seconds costs the connection", async () => {
    const socket = await begin(`${HEAD}Content-Length: 100\r\n\r\n{`);
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      socket.once("close", () => {
        isClosed = true;
        resolve();
      });
      socket.resume();
    });
    jest.advanceTimersByTime(9_999);
    await settleTurns();
    expect(isClosed).toBe(false);
    jest.advanceTimersByTime(1);
    await closed;
  });

  test.each([
    ["as it should", '{"networkName":"web","validAttachments":[]}', 200],
    ["and is not JSON", '{"networkName":', 400],
    ["and is refused", '{"networkName":5,"validAttachments":[]}', 400],
  ])("and comes %s costs a connection that stays open nothing later", async (_name, body, status) => {
    const socket = await begin(`${HEAD}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 3)}`);
    const answered = new Promise((resolve) => socket.once("data", (data) => resolve(String(data))));
    socket.write(body.slice(3));
    expect(await answered).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(jest.getTimerCount()).toBe(0);
    socket.destroy();
  });
});
