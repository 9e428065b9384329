import { createLogger, formatLogLine, silentLogger } from "./log.ts";

function lines(format: "json" | "text", act: (log: ReturnType<typeof createLogger>) => void): string[] {
  const written: string[] = [];
  act(
    createLogger({
      level: "info",
      format,
      write: (line) => written.push(line),
      fields: { program: "server" },
    }),
  );
  return written;
}

test("one JSON object per line, with level by name and time in UTC", () => {
  const [line = "", ...others] = lines("json", (log) => {
    log.debug({}, "not this");
    log.child({ front: "http" }).warn({ ms: 5 }, "slow");
  });
  expect(others).toEqual([]);
  expect(line.endsWith("\n")).toBe(true);
  expect(JSON.parse(line)).toEqual({
    level: "warn",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    program: "server",
    front: "http",
    ms: 5,
    msg: "slow",
  });
});

test("an error keeps its message, its stack and its cause", () => {
  const [line = ""] = lines("json", (log) =>
    log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed"),
  );
  const { err } = JSON.parse(line);
  expect(err.message).toContain("outer");
  expect(err.stack).toContain("inner");
});

test("text is for people", () => {
  const [line = ""] = lines("text", (log) =>
    log.info({ socket: "/run/f.sock", text: 'a "b"', n: 1, o: { p: 1 } }, "ready"),
  );
  expect(line).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}ready program=server socket=\/run\/f.sock text="a \\"b\\"" n=1 o="\{/,
  );
});

test("what is not JSON passes", () => {
  expect(formatLogLine("oops\n")).toBe("oops\n");
});

test("an error in text comes with its stack, indented", () => {
  const [line = ""] = lines("text", (log) => log.error({ err: new Error("boom") }, "failed"));
  expect(line).toMatch(/ERROR failed program=server\n {4}Error: boom\n {4} +at /);
});

test("the silent logger is one", () => {
  expect(silentLogger.child({}).info({}, "x")).toBeUndefined();
});
