import { type Logger, silentLogger } from "../../lib/log.ts";
import { Problems } from "./problems.ts";

let lines: string[];
let problems: Problems;
beforeEach(() => {
  lines = [];
  const line =
    (level: string) =>
    (fields: object, text: string): void =>
      void lines.push(`${level}: ${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { ...silentLogger, info: line("info"), warn: line("warn"), error: line("error") };
  problems = new Problems(logger);
});

const told = (): string[] => lines.splice(0);

test("a problem is said when it comes, when it becomes another one, and when it is over", () => {
  problems.set("web", { message: "no bridge" });
  expect(told()).toEqual(['error: agent: problem {"object":"web","reason":"no bridge"}']);
  problems.set("web", { message: "no bridge" });
  expect(told()).toEqual([]);
  problems.set("web", { message: "no address" });
  expect(told()).toEqual(['error: agent: problem {"object":"web","reason":"no address"}']);
  problems.clear("web");
  expect(told()).toEqual(['info: agent: problem is over {"object":"web"}']);
  expect(problems.list()).toEqual([]);
});

test("what was no problem is not over", () => {
  problems.clear("web");
  expect(told()).toEqual([]);
});

test("a warning is said as one, by the name that people know", () => {
  problems.put("key of web", { severity: "warning", object: "web", message: "it is slow" });
  problems.clear("key of web");
  expect(told()).toEqual([
    'warn: agent: problem {"object":"web","reason":"it is slow"}',
    'info: agent: problem is over {"object":"web"}',
  ]);
});

test("what is about nothing that there is, is forgotten in silence", () => {
  for (const name of ["web", "db"]) problems.set(name, { message: "no bridge" });
  told();
  problems.keepOnly(new Set(["db"]));
  expect(problems.list()).toEqual([{ severity: "error", object: "db", message: "no bridge" }]);
  expect(told()).toEqual([]);
});
