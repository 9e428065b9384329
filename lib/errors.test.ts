import {
  asFairleadError,
  combineErrors,
  ERROR_TABLE,
  errorFromJson,
  errorToJson,
  FairleadError,
} from "./errors.ts";

const sample = new FairleadError({
  code: "pool-exhausted",
  operation: "acquire address for",
  object: "net/c1/eth0",
  reason: "pool 10.1.0.0/30 has 2 addresses, 2 bound",
  hint: "add a subnet",
  details: { free: 0 },
});

test("the message reads operation, object, reason, hint", () => {
  expect(sample.message).toBe(
    "acquire address for net/c1/eth0: pool 10.1.0.0/30 has 2 addresses, 2 bound; add a subnet",
  );
});

test("an error survives the wire", () => {
  const back = errorFromJson(JSON.parse(JSON.stringify(errorToJson(sample))));
  expect(back).toBeInstanceOf(FairleadError);
  expect(back.message).toBe(sample.message);
  expect(back.row).toEqual({ cni: 11, grpc: "RESOURCE_EXHAUSTED", http: 409, exit: 6 });
  expect(back.details).toEqual({ free: 0 });
});

test.each([[null], ["text"], [{}], [{ code: "no-such-code" }], [{ code: 7 }]])(
  "%p is not an error object",
  (value) => {
    expect(errorFromJson(value)).toMatchObject({ code: "internal", operation: "read error" });
  },
);

test("CNI codes keep to the spec's and to our own range, and each of ours has one meaning", () => {
  const ours = Object.values(ERROR_TABLE).map((row) => row.cni);
  const spec = [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51, 999];
  for (const cni of ours) expect(spec.includes(cni) || (cni >= 100 && cni < 999)).toBe(true);
  const own = ours.filter((cni) => cni >= 100 && cni < 999);
  expect(new Set(own).size).toBe(own.length);
});

test("several errors keep every message; one stays itself", () => {
  expect(combineErrors("delete", "x", [sample])).toBe(sample);
  const both = combineErrors("delete", "attachment x", [sample, new Error("boom")]);
  expect(both.code).toBe("multiple");
  expect(both.message).toContain("2 bound");
  expect(both.message).toContain("boom");
});

test("asFairleadError keeps ours and wraps anything else with its cause", () => {
  expect(asFairleadError(sample, "x")).toBe(sample);
  const wrapped = asFairleadError("text", "do", "it");
  expect(wrapped).toMatchObject({ code: "internal", message: "do it: text", cause: "text" });
});
