import {
  anything,
  checkedText,
  type FieldTable,
  fieldValue,
  flag,
  integer,
  list,
  map,
  object,
  oneOf,
  optionalInteger,
  optionalObject,
  readFields,
  readLeniently,
  TOP,
  text,
} from "./fields.ts";
import type { JsonObject } from "./json.ts";

const BRIDGE = {
  bridge: text("cni0"),
  isGateway: flag(),
  mtu: integer({ max: 65535 }),
  table: optionalInteger(),
  backend: oneOf(["iptables", "nftables"], "nftables"),
  trunk: list(object({ minID: integer(), maxID: integer() })),
  labels: map(text()),
  extra: anything,
  inner: object({ a: integer({ absent: 7 }) }),
  maybe: optionalObject({ a: integer() }),
};

const ABSENT = {
  bridge: "cni0",
  isGateway: false,
  mtu: 0,
  table: undefined,
  backend: "nftables",
  trunk: [],
  labels: {},
  extra: null,
  inner: { a: 7 },
  maybe: undefined,
};

test("absent keys have the values of the table", () => {
  expect(readFields(BRIDGE, {})).toEqual(ABSENT);
});

test("null is absent, at the top and inside", () => {
  const nulls = Object.fromEntries(Object.keys(BRIDGE).map((key) => [key, null]));
  expect(readFields(BRIDGE, nulls)).toEqual(ABSENT);
  expect(readFields(BRIDGE, { trunk: [null, { minID: null }] }).trunk).toEqual([
    { minID: 0, maxID: 0 },
    { minID: 0, maxID: 0 },
  ]);
});

test("leniently, a wrong key is absent, the others are read, and each wrong one is told of", () => {
  const told: string[] = [];
  const at = { ...TOP, complain: (message: string) => told.push(message) };
  expect(readLeniently(BRIDGE, { bridge: 5, MTU: 1400, trunk: [{ minID: "one" }] }, at)).toEqual({
    ...ABSENT,
    mtu: 1400,
  });
  expect(told).toEqual([
    expect.stringContaining("bridge: it is the number 5"),
    expect.stringContaining("trunk[0].minID"),
  ]);
  expect(readLeniently(BRIDGE, "no object", at)).toEqual(ABSENT);
  expect(readLeniently(BRIDGE, undefined, at)).toEqual(ABSENT);
  for (const raw of ["four", [1, 2], null]) {
    expect(readLeniently({ length: integer() }, raw, at)).toEqual({ length: 0 });
  }
  expect(told).toHaveLength(2);
});

test("reads every type", () => {
  const raw = {
    bridge: "br1",
    isGateway: true,
    mtu: 1400,
    table: 0,
    backend: "iptables",
    trunk: [{ minID: 1, maxID: 2 }],
    labels: { a: "b" },
    extra: [1],
    inner: { a: 1 },
    maybe: {},
  };
  expect(readFields(BRIDGE, raw)).toEqual({ ...raw, maybe: { a: 0 } });
});

test("keys match in any case, the exact spelling first", () => {
  expect(readFields(BRIDGE, { BRIDGE: "br1", isgateway: true, Trunk: [{ minid: 3 }] })).toMatchObject({
    bridge: "br1",
    isGateway: true,
    trunk: [{ minID: 3 }],
  });
  expect(readFields(BRIDGE, { bridge: "exact", BRIDGE: "other" }).bridge).toBe("exact");
  expect(readFields(BRIDGE, { BRIDGE: "first", Bridge: "last" }).bridge).toBe("last");
});

test("keys of Object.prototype are not in a configuration", () => {
  const table: FieldTable = { toString: text("absent"), constructor: text("absent") };
  expect(readFields(table, {})).toEqual({ toString: "absent", constructor: "absent" });
});

test("__proto__ as a name in a map is a name", () => {
  const raw = JSON.parse(`{"labels":{"__proto__":"x"}}`) as JsonObject;
  expect(Object.keys(readFields(BRIDGE, raw).labels)).toEqual(["__proto__"]);
});

test.each([
  [{ bridge: 7 }, "bridge: it is the number 7, expected a string"],
  [{ BRIDGE: {} }, "BRIDGE: it is an object, expected a string"],
  [{ isGateway: "true" }, `isGateway: it is the string "true", expected true or false`],
  [{ mtu: "1400" }, `mtu: it is the string "1400", expected a whole number from 0 to 65535`],
  [{ mtu: 65536 }, "mtu: it is the number 65536, expected a whole number from 0 to 65535"],
  [{ mtu: -1 }, "mtu: it is the number -1"],
  [{ mtu: 1.5 }, "mtu: it is the number 1.5"],
  [{ table: 1e300 }, "expected a whole number from 0"],
  [{ backend: "ipfw" }, `backend: it is the string "ipfw", expected one of "iptables", "nftables"`],
  [{ trunk: {} }, "trunk: it is an object, expected an array, each element an object"],
  [{ trunk: [{}, { minID: "1" }] }, `trunk[1].minID: it is the string "1"`],
  [{ labels: { a: 1 } }, "labels.a: it is the number 1"],
  [{ labels: [] }, "labels: it is an array of 0, expected an object"],
  [{ inner: { a: true } }, "inner.a: it is the boolean true"],
  [{ maybe: 1 }, "maybe: it is the number 1, expected an object"],
])("%j: %s", (raw, message) => {
  expect(() => readFields(BRIDGE, raw as JsonObject)).toThrow(
    expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(message) }),
  );
});

test.each([
  [{ MTU: -1 }, "MTU"],
  [{ inner: { a: -1 } }, "inner.a"],
  [{ trunk: [{}, { minID: -1 }] }, "trunk[1].minID"],
])("%j is wrong at %s", (raw, object) => {
  expect(() => readFields(BRIDGE, raw)).toThrow(expect.objectContaining({ object }));
});

test("a number without an upper bound names none", () => {
  expect(integer({ min: 3 }).expected).toBe("a whole number from 3");
  expect(integer({ min: 3, max: 9 }).expected).toBe("a whole number from 3 to 9");
});

test("an absent list is empty", () => {
  expect(readFields({ trunk: list(integer()) }, {}).trunk).toEqual([]);
});

test("a long value is cut in the message", () => {
  const read = () => readFields({ a: integer() }, { a: "x".repeat(10_000) });
  expect(read).toThrow(
    expect.objectContaining({ message: expect.stringMatching(/^read network configuration a: .{1,200}$/u) }),
  );
});

test("the reader says what is read and which code a fault has", () => {
  const at = { path: "ipam", reading: { operation: "read answer", fault: "decode-failure" } } as const;
  expect(() => readFields({ a: integer() }, { a: "x" }, at)).toThrow(
    expect.objectContaining({
      code: "decode-failure",
      message: expect.stringContaining("read answer ipam.a: "),
    }),
  );
});

test("checkedText says what is wrong", () => {
  const even = checkedText("an even number of letters", (value) => (value.length % 2 ? "odd" : null));
  expect(readFields({ a: even }, { a: "ab" }).a).toBe("ab");
  expect(() => readFields({ a: even }, { a: "abc" })).toThrow(
    `a: the string "abc" is refused: odd; expected an even number of letters`,
  );
  expect(() => readFields({ a: even }, { a: 1 })).toThrow("expected an even number of letters");
});

test("oneOf takes the empty string for absent", () => {
  expect(readFields(BRIDGE, { backend: "" }).backend).toBe("nftables");
});

test("fieldValue finds one key in any case", () => {
  expect(fieldValue({ Type: "x" }, "type")).toBe("x");
  expect(fieldValue({ type: null }, "type")).toBeUndefined();
  expect(fieldValue({}, "toString")).toBeUndefined();
});
