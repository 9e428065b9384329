import { constants } from "node:os";
import { errnoOf } from "./errno.ts";

describe("errno table", () => {
  test.each(Object.entries(constants.errno))(
    "%s has the number that this system gives it",
    (name, number) => {
      const aliases: Record<string, string> = {
        EWOULDBLOCK: "EAGAIN",
        EOPNOTSUPP: "EOPNOTSUPP",
        ENOTSUP: "EOPNOTSUPP",
      };
      expect(errnoOf(number).name).toBe(aliases[name] ?? name);
    },
  );

  test("has a text for each", () => {
    expect(errnoOf(17)).toEqual({ number: 17, name: "EEXIST", text: "File exists" });
    expect(errnoOf(95)).toEqual({ number: 95, name: "EOPNOTSUPP", text: "Operation not supported" });
  });

  test("says the number of what it does not know", () => {
    expect(errnoOf(4000)).toEqual({ number: 4000, name: "E4000", text: "Unknown error" });
  });
});
