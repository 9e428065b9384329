import { MOST_FOUND } from "../../lib/ipam/api.ts";
import { keyOf, NODE1, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

const DECLARATION = { rangeSets: [[{ subnet: "10.1.0.0/28" }]] };
const ask = (containerId: string, more = {}) =>
  s.f.service.acquire({ key: keyOf(containerId), declaration: DECLARATION, ...more }, NODE1);
const addressOf = async (answer: ReturnType<typeof ask>) => (await answer).addresses[0]?.address;
const leases = async () =>
  (await s.f.service.listLeases({})).map(({ address, state, containerId, reason }) =>
    [address, state, containerId, reason].filter((text) => text !== "").join(" "),
  );

const FOUND = [
  { address: "10.1.0.2", containerId: "old1", ifname: "eth0", seen: "host-local" },
  { address: "10.1.0.3", seen: "neighbour of cni0" },
];

test("a caller that can survey is asked to, and nothing is left of the attempt", async () => {
  const refused = ask("a", { canSurvey: true });
  await expect(refused).rejects.toMatchObject({ code: "survey-needed" });
  expect(await s.f.service.listNetworks()).not.toContainEqual(expect.objectContaining({ name: "web" }));
  await expect(ask("a", { canSurvey: true })).rejects.toMatchObject({ code: "survey-needed" });
});

test("what was found is taken over before anything is granted", async () => {
  expect(await addressOf(ask("a", { canSurvey: true, survey: { found: FOUND } }))).toBe("10.1.0.4/28");
  expect(await leases()).toEqual([
    "10.1.0.2 bound old1",
    "10.1.0.3 quarantined in use before the network was declared: neighbour of cni0",
    "10.1.0.4 bound a",
  ]);
  const [bound] = await s.f.service.listEvents({ kind: "lease-bound" });
  expect(bound).toMatchObject({ containerId: "old1", node: "n1", reason: "taken over: host-local" });
  const [quarantined] = await s.f.service.listEvents({ kind: "lease-quarantined" });
  expect(quarantined).toMatchObject({
    address: "10.1.0.3",
    reason: "in use before the network was declared: neighbour of cni0",
  });
});

test("a holder keeps its address when it asks, and its release is like any other's", async () => {
  await ask("a", { survey: { found: FOUND } });
  expect(await ask("old1")).toMatchObject({ created: false, addresses: [{ address: "10.1.0.2/28" }] });
  expect(await s.f.service.release({ key: keyOf("old1") }, NODE1)).toMatchObject({ released: ["10.1.0.2"] });
});

test("a caller that cannot survey is served, and so is everybody once the network is known", async () => {
  expect(await addressOf(ask("a"))).toBe("10.1.0.2/28");
  expect(await addressOf(ask("b", { canSurvey: true }))).toBe("10.1.0.3/28");
});

test("a range set that the network does not have yet is surveyed, too", async () => {
  await ask("a");
  const more = { rangeSets: [...DECLARATION.rangeSets, [{ subnet: "10.2.0.0/28" }]] };
  const request = { declaration: more, canSurvey: true };
  await expect(ask("b", request)).rejects.toMatchObject({ code: "survey-needed" });
  const survey = { found: [{ address: "10.2.0.2", seen: "veth1" }] };
  const { addresses } = await ask("b", { ...request, survey });
  expect(addresses.map(({ address }) => address)).toEqual(["10.1.0.3/28", "10.2.0.3/28"]);
});

test.each([
  ["a pool that takes an idle one's place", { subnet: "10.2.0.0/28" }],
  ["a range that has grown", { subnet: "10.1.0.0/28" }],
])("%s is surveyed, too", async (_, range) => {
  const narrow = { rangeSets: [[{ subnet: "10.1.0.0/28", rangeEnd: "10.1.0.4" }]] };
  await ask("a", { declaration: narrow });
  await s.f.service.release({ key: keyOf("a") }, NODE1);
  s.f.clock.advance(60_000);
  const request = { declaration: { rangeSets: [[range]] }, canSurvey: true };
  await expect(ask("b", request)).rejects.toMatchObject({ code: "survey-needed" });
  await ask("b", { ...request, survey: { found: [] } });
  await ask("c", request);
});

test("a range that has shrunk, beside another one, is not surveyed again", async () => {
  const sets = (rangeEnd: string) => ({
    rangeSets: [[{ subnet: "10.1.0.0/28", rangeEnd }], [{ subnet: "10.2.0.0/28" }]],
  });
  await ask("a", { declaration: sets("10.1.0.9") });
  await ask("b", { declaration: sets("10.1.0.6"), canSurvey: true });
});

test("a second survey changes nothing that there is a record of", async () => {
  await ask("a", { survey: { found: [] } });
  await s.f.service.release({ key: keyOf("a") }, NODE1);
  await ask("b", { survey: { found: [{ address: "10.1.0.2", seen: "late" }, ...FOUND.slice(1)] } });
  expect(await leases()).toEqual([
    "10.1.0.2 cooling a",
    "10.1.0.3 quarantined in use before the network was declared: neighbour of cni0",
    "10.1.0.4 bound b",
  ]);
});

test("addresses outside of the ranges, and those never handed out, are passed over", async () => {
  const outside = ["10.9.9.9", "10.1.0.1", "10.1.0.15", "fd00::1"];
  const found = outside.map((address) => ({ address, containerId: "old1", ifname: "eth0", seen: "x" }));
  expect(await addressOf(ask("a", { survey: { found } }))).toBe("10.1.0.2/28");
  expect(await leases()).toEqual(["10.1.0.2 bound a"]);
});

test("an attachment that seems to hold two addresses of one pool has the first, and the other is quarantined", async () => {
  const found = ["10.1.0.2", "10.1.0.3"].map((address) => ({ ...FOUND[0], address, seen: "host-local" }));
  await ask("a", { survey: { found } });
  expect(await leases()).toContain(
    "10.1.0.3 quarantined in use before the network was declared: host-local, second of old1",
  );
});

test("a holder has what was found of it in each pool", async () => {
  const rangeSets = [...DECLARATION.rangeSets, [{ subnet: "fd00:1::/64" }]];
  const found = ["10.1.0.2", "fd00:1::2"].map((address) => ({ ...FOUND[0], address, seen: "host-local" }));
  await ask("a", { declaration: { rangeSets }, survey: { found } });
  expect((await leases()).filter((text) => text.includes("old1"))).toEqual([
    "10.1.0.2 bound old1",
    "fd00:1::2 bound old1",
  ]);
});

test("whoever is known by half only is no holder", async () => {
  const [container, interfaceOnly] = [
    { address: "10.1.0.2", seen: "x", containerId: "old1" },
    { address: "10.1.0.3", seen: "x", ifname: "eth0" },
  ];
  await ask("a", { survey: { found: [container, interfaceOnly] } });
  expect(await leases()).toEqual([
    "10.1.0.2 quarantined in use before the network was declared: x",
    "10.1.0.3 quarantined in use before the network was declared: x",
    "10.1.0.4 bound a",
  ]);
});

test("as much as may be found is taken over", async () => {
  const found = Array(MOST_FOUND).fill(FOUND[1]);
  expect(await addressOf(ask("a", { survey: { found } }))).toBe("10.1.0.2/28");
});

test("two first requests at once get two addresses, and neither one that was found", async () => {
  const survey = { found: FOUND };
  const answers = await Promise.all(["a", "b"].map((id) => addressOf(ask(id, { canSurvey: true, survey }))));
  expect(answers.sort()).toEqual(["10.1.0.4/28", "10.1.0.5/28"]);
});

test.each([
  ["no address", [{ address: "somewhere", seen: "x" }]],
  ["a container ID that cannot be", [{ address: "10.1.0.2", seen: "x", containerId: "a/b", ifname: "eth0" }]],
  ["too much", Array(MOST_FOUND + 1).fill({ address: "10.1.0.2", seen: "x" })],
])("a survey with %s is refused", async (_, found) => {
  await expect(ask("a", { survey: { found } })).rejects.toMatchObject({ code: "invalid-config" });
  expect(await leases()).toEqual([]);
});
