import * as generated from "../generated/fairlead/v1/ipam.ts";
import { EventKind, Family, LeaseState, NetworkOrigin, Severity } from "../generated/fairlead/v1/ipam.ts";
import * as addresses from "./addresses.ts";
import { verifyRequest } from "./attachments.ts";
import * as history from "./history.ts";
import { createNetworkRequest } from "./networks.ts";

const AT = "2026-01-31T12:00:00.123Z";

/** Through the bytes of the wire and back. */
function travel<M>(type: generated.MessageFns<M>, message: M): M {
  return type.decode(type.encode(message).finish());
}

const lease = {
  address: "10.1.0.2",
  addressSpace: "default",
  networkName: "web",
  subnet: "10.1.0.0/24",
  pool: 0,
  state: "cooling",
  sequence: 9_007_199_254_740_991,
  containerId: "c1",
  ifname: "eth0",
  node: "n1",
  mac: "",
  names: ["a"],
  acquiredAt: null,
  since: AT,
  until: AT,
  reason: "",
} as const;

test("every word of a lease state, an event kind and a family has its name, and every name its word", () => {
  const known = (names: Readonly<Record<string, string>>): string[] =>
    Object.keys(names).filter((name) => name !== "UNRECOGNIZED" && !name.endsWith("_UNSPECIFIED"));
  const base = { ...addresses.lease.encode(lease) };
  for (const state of known(LeaseState)) {
    const word = addresses.lease.decode({ ...base, state: state as LeaseState }).state;
    expect(`LEASE_STATE_${word.toUpperCase()}`).toBe(state);
  }
  const event = generated.Event.decode(new Uint8Array());
  for (const kind of known(EventKind)) {
    const at = { seconds: 0, nanos: 0 };
    const word = history.event.decode({ ...event, at, kind: kind as EventKind }).kind;
    expect(`EVENT_KIND_${word.toUpperCase().replaceAll("-", "_")}`).toBe(kind);
  }
  expect([known(Family), known(NetworkOrigin), known(Severity)].map((names) => names.length)).toEqual([
    2, 3, 2,
  ]);
});

test("a lease keeps every field over the wire", () => {
  const got = addresses.lease.decode(travel(generated.Lease, addresses.lease.encode(lease)));
  expect(got).toEqual(lease);
});

test.each([
  [{ subnet: "10.1.0.0/24" }],
  [{ subnet: "10.1.0.0/24", gateway: null }],
  [
    {
      subnet: "10.1.0.0/24",
      gateway: "10.1.0.254",
      exclusions: ["10.1.0.9"],
      auxAddresses: { a: "10.1.0.8" },
    },
  ],
])("the three ways to say a gateway stay apart: %j", (spec) => {
  const request = { name: "web", subnets: [spec] };
  const message = travel(generated.CreateNetworkRequest, createNetworkRequest.encode(request));
  expect(createNetworkRequest.decode(message)).toEqual(request);
});

test("false and zero are not absent", () => {
  const request = { name: "web", ipv6: false, internal: false, coolingSeconds: 0, maxAttachments: 0 };
  const message = travel(generated.CreateNetworkRequest, createNetworkRequest.encode(request));
  expect(createNetworkRequest.decode(message)).toEqual(request);
});

test("an empty list of known addresses is not an absent one", () => {
  const key = { networkName: "web", containerId: "c1", ifname: "eth0" };
  for (const request of [{ key }, { key, addresses: [] }, { key, addresses: ["10.1.0.2/24"] }]) {
    const message = travel(generated.VerifyRequest, verifyRequest.encode(request));
    expect(verifyRequest.decode(message)).toEqual(request);
  }
});

test("`no_gateway: false` says nothing", () => {
  const spec = {
    ...createNetworkRequest.encode({ name: "n", subnets: [{ subnet: "10.0.0.0/8" }] }),
  };
  const [subnet] = spec.subnets;
  if (!subnet) throw new Error("no subnet");
  const odd = {
    ...spec,
    subnets: [{ ...subnet, gatewayChoice: { $case: "noGateway" as const, value: false } }],
  };
  expect(createNetworkRequest.decode(odd).subnets).toEqual([{ subnet: "10.0.0.0/8" }]);
});

test("numbers beyond what can be told apart are refused", () => {
  // Event{revision: 2^63}
  const bytes = Uint8Array.from([0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
  expect(() => generated.Event.decode(bytes)).toThrow("MAX_SAFE_INTEGER");
});
