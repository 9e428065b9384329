import { FairleadError } from "../errors.ts";
import { explained, unknownField, withoutUnknown } from "./older-service.ts";

/** As a service of 0.1 words it; later ones tell programs, too. */
function refusal(field: string, details: object = { field: "body" }, object = "body"): FairleadError {
  const reason = `unknown field "${field}"`;
  return new FairleadError({
    code: "invalid-config",
    operation: "read",
    object,
    reason,
    details: { ...details },
  });
}

test("the field is named by what is for programs, or else by the words for people", () => {
  expect(unknownField(refusal("attempt"))).toBe("attempt");
  const { operation, object } = refusal("x");
  const told = { code: "invalid-config", operation, object, reason: "other words" } as const;
  expect(unknownField(new FairleadError({ ...told, details: { unknownField: "attempt" } }))).toBe("attempt");
  expect(unknownField(new FairleadError(told))).toBeNull();
  expect(unknownField(refusal("attempt", {}, "body.key"))).toBeNull();
  for (const reason of ['no unknown field "attempt"', 'unknown field "attempt" or "x"', 'unknown field ""'])
    expect(unknownField(new FairleadError({ ...told, reason }))).toBeNull();
  const other = new FairleadError({ ...told, code: "internal", details: { unknownField: "attempt" } });
  expect(unknownField(other)).toBeNull();
});

test("only what a request means the same without is left out, and only what it has", () => {
  const release = { name: "release", request: { key: {}, attempt: "a", sequences: [1] } } as const;
  const acquire = { name: "acquire", request: { key: {}, canSurvey: true } } as const;
  expect(withoutUnknown(release, refusal("attempt"))).toEqual({ key: {}, sequences: [1] });
  expect(withoutUnknown(release, refusal("sequences"))).toBeNull();
  expect(withoutUnknown(release, refusal("reason"))).toBeNull();
  expect(withoutUnknown(acquire, refusal("canSurvey"))).toEqual({ key: {} });
  expect(withoutUnknown({ name: "verify", request: { attempt: "a" } }, refusal("attempt"))).toBeNull();
});

test("what cannot be left out is refused with what to do", () => {
  const refused = refusal("sequences", { unknownField: "sequences" });
  const { code, operation, object, reason, details } = refused;
  expect(explained(refused)).toMatchObject({ code, operation, object, reason, details, cause: refused });
  expect(explained(refused).message).toMatch(/older than this program: start it anew/);
  const other = new FairleadError({ code: "pool-exhausted", operation: "acquire", reason: "full" });
  expect(explained(other)).toBe(other);
});
