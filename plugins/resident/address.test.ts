import { residentSocketFor } from "./address.ts";

const placeOf = (config: unknown) => residentSocketFor(new TextEncoder().encode(JSON.stringify(config)));

const DEFAULT = { socketPath: "/run/fairlead/plugin-worker.sock", limitMs: 25_000 };

test.each([
  ["no ipam", {}],
  ["ipam without a socket", { ipam: { type: "fairlead-ipam" } }],
  ["a relative socket", { ipam: { socket: "run/ipam.sock" } }],
  ["a socket that is no text", { ipam: { socket: 7 } }],
  ["ipam that is no object", { ipam: [] }],
  ["a time limit out of bounds", { ipam: { timeoutSeconds: 1e9 } }],
  ["a time limit that is no number", { ipam: { timeoutSeconds: "60" } }],
])("the default place for %s", (_, config) => {
  expect(placeOf(config)).toEqual(DEFAULT);
});

test("beside the socket of the IPAM service, with its time limit and some", () => {
  expect(placeOf({ ipam: { socket: "/tmp/a/ipam.sock", timeoutSeconds: 3 } })).toEqual({
    socketPath: "/tmp/a/plugin-worker.sock",
    limitMs: 18_000,
  });
});

test.each(["", "{", "[".repeat(90_000), "7", "null", '"text"'])("nowhere for %.10s", (text) => {
  expect(residentSocketFor(new TextEncoder().encode(text))).toBeNull();
});
