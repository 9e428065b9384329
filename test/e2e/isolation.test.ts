/**
 * Isolation, with packets: who reaches whom, in both families and both directions, with the built executables.
 *
 *   a: plain   b: gateway mode nat-unprotected   c: internal   d: icc=false        each dual-stack, each with two containers
 *
 * Needs root, ip, nft, ping and python3.
 */

import {
  connects,
  type Family,
  type IsolatedContainer,
  IsolationLab,
  pings,
} from "../support/lab/isolation-lab.ts";
import { HOST_IPV4, HOST_IPV6, INTERNET_IPV4, INTERNET_IPV6 } from "../support/lab/lab.ts";
import { command, tryCommand, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(180_000);

const FAMILIES: readonly Family[] = [4, 6];
const NETWORKS = ["a", "b", "c", "d"] as const;
type NetworkName = (typeof NETWORKS)[number];

const SUBNETS: Readonly<Record<NetworkName, Readonly<Record<Family, string>>>> = {
  a: { 4: "10.71.0", 6: "fd00:71" },
  b: { 4: "10.72.0", 6: "fd00:72" },
  c: { 4: "10.73.0", 6: "fd00:73" },
  d: { 4: "10.74.0", 6: "fd00:74" },
};
const REQUESTS: Readonly<Record<NetworkName, object>> = {
  a: {},
  b: {
    options: {
      "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
      "com.docker.network.bridge.gateway_mode_ipv6": "nat-unprotected",
    },
  },
  c: { internal: true },
  d: { options: { "com.docker.network.bridge.enable_icc": "false" } },
};
const HOST: Readonly<Record<Family, string>> = { 4: HOST_IPV4, 6: HOST_IPV6 };
const INTERNET: Readonly<Record<Family, string>> = { 4: INTERNET_IPV4, 6: INTERNET_IPV6 };
const PUBLISHED_PORT = 18_080;
const HOST_PORT = 8080;

let lab: IsolationLab;
let containers: Readonly<Record<NetworkName, readonly [IsolatedContainer, IsolatedContainer]>>;

function gateway(network: NetworkName, family: Family): string {
  return family === 4 ? `${SUBNETS[network][4]}.1` : `${SUBNETS[network][6]}::1`;
}

async function pair(name: NetworkName, hostPort?: number): Promise<[IsolatedContainer, IsolatedContainer]> {
  const subnets = [{ subnet: `${SUBNETS[name][4]}.0/24` }, { subnet: `${SUBNETS[name][6]}::/64` }];
  await lab.network(name, { subnets, ...REQUESTS[name] });
  return [await lab.container(`${name}1`, name, hostPort), await lab.container(`${name}2`, name)];
}

beforeAll(async () => {
  lab = await IsolationLab.open("iso");
  const [a, b, c, d] = [await pair("a"), await pair("b", PUBLISHED_PORT), await pair("c"), await pair("d")];
  containers = { a, b, c, d };
  // A container may be root in its namespace: that it was given no default route is no wall.
  for (const { netns } of c) {
    await command(["nsenter", `--net=${netns}`, "ip", "route", "add", "default", "via", gateway("c", 4)]);
    await command(["nsenter", `--net=${netns}`, "ip", "route", "add", "default", "via", gateway("c", 6)]);
  }
  await lab.listen(lab.host, String(HOST_PORT), "53");
  // From outside, somebody may know the way: an internal network is unreachable all the same.
  for (const name of NETWORKS) {
    await lab.under.lab.internet(["ip", "route", "add", `${SUBNETS[name][4]}.0/24`, "via", HOST_IPV4]);
    await lab.under.lab.internet(["ip", "route", "add", `${SUBNETS[name][6]}::/64`, "via", HOST_IPV6]);
  }
});
afterAll(() => lab?.close());

/** For every pair of network and family: what `reaches` tells against what is expected, all at once. */
async function matrix(
  reaches: (from: IsolatedContainer, family: Family, network: NetworkName) => Promise<boolean>,
  expected: Readonly<Record<NetworkName, boolean>>,
): Promise<void> {
  const cases = NETWORKS.flatMap((network) => FAMILIES.map((family) => ({ network, family })));
  const found = await Promise.all(
    cases.map(async ({ network, family }) => {
      const isReached = await reaches(containers[network][0], family, network);
      return `${network} IPv${family}: ${isReached}`;
    }),
  );
  expect(found).toEqual(cases.map(({ network, family }) => `${network} IPv${family}: ${expected[network]}`));
}

test("a container of the same network: yes, unless icc=false", () =>
  matrix(
    (from, family, network) => pings(from.netns, containers[network][1].address[family], network !== "d"),
    { a: true, b: true, c: true, d: false },
  ));

test("icc=false holds also for what is sent by way of the gateway", async () => {
  const [from, to] = containers.d;
  for (const family of FAMILIES) {
    const length = family === 4 ? 32 : 128;
    const route = [`${to.address[family]}/${length}`, "via", gateway("d", family)];
    await command(["nsenter", `--net=${from.netns}`, "ip", "route", "add", ...route]);
    expect(await pings(from.netns, to.address[family], false)).toBe(false);
    expect(await connects(from.netns, to.address[family], 80)).toBe(false);
  }
});

test("a container of any other network: no, by ping and by TCP, whoever asks", async () => {
  const cases = NETWORKS.flatMap((source) =>
    NETWORKS.filter((target) => target !== source).flatMap((target) =>
      FAMILIES.map((family) => ({ source, target, family })),
    ),
  );
  const reached = await Promise.all(
    cases.map(async ({ source, target, family }) => {
      const from = containers[source][0].netns;
      const to = containers[target][0].address[family];
      const ways = [await pings(from, to, false), await connects(from, to, 80)];
      return ways.some(Boolean) ? [`${source} reaches ${target} by IPv${family}`] : [];
    }),
  );
  expect(reached.flat()).toEqual([]);
});

test("the gateway of the own network: yes", () =>
  matrix((from, family, network) => pings(from.netns, gateway(network, family)), {
    a: true,
    b: true,
    c: true,
    d: true,
  }));

test("other networks' gateways: no", async () => {
  for (const target of NETWORKS) {
    await matrix(
      async (from, family, network) => {
        if (network === target) return false;
        const to = gateway(target, family);
        return (await pings(from.netns, to, false)) || connects(from.netns, to, HOST_PORT);
      },
      { a: false, b: false, c: false, d: false },
    );
  }
});

test("services of the host on the own gateway: yes; from an internal network names only", async () => {
  await matrix((from, family, network) => connects(from.netns, gateway(network, family), 53), {
    a: true,
    b: true,
    c: true,
    d: true,
  });
  await matrix((from, family, network) => connects(from.netns, gateway(network, family), HOST_PORT), {
    a: true,
    b: true,
    c: false,
    d: true,
  });
});

test("the host's other addresses: yes, but not from an internal network", async () => {
  const expected = { a: true, b: true, c: false, d: true };
  await matrix((from, family, network) => pings(from.netns, HOST[family], network !== "c"), expected);
  await matrix((from, family) => connects(from.netns, HOST[family], HOST_PORT), expected);
  await matrix((from, family) => connects(from.netns, HOST[family], 53), expected);
});

test("the world outside: yes, but not from an internal network", async () => {
  await matrix((from, family, network) => pings(from.netns, INTERNET[family], network !== "c"), {
    a: true,
    b: true,
    c: false,
    d: true,
  });
});

test("a published port of another network: yes, from everywhere but an internal network", async () => {
  await matrix((from, family) => connects(from.netns, HOST[family], PUBLISHED_PORT), {
    a: true,
    b: true,
    c: false,
    d: true,
  });
  for (const family of FAMILIES)
    expect(await connects(lab.internet, HOST[family], PUBLISHED_PORT)).toBe(true);
});

test("what an internal network publishes: no, but for its own containers, which reach each other anyway", async () => {
  const port = PUBLISHED_PORT + 1;
  await lab.container("c3", "c", port);
  const own = { a: false, b: false, c: true, d: false };
  await matrix((from, family) => connects(from.netns, HOST[family], port), own);
  for (const family of FAMILIES) expect(await connects(lab.internet, HOST[family], port)).toBe(false);
});

test("from the host to containers: yes", () =>
  matrix((to, family) => connects(lab.host, to.address[family], 80), { a: true, b: true, c: true, d: true }));

test("from outside by a route to the container: only where the network is told to let it in", async () => {
  const expected = { a: false, b: true, c: false, d: false };
  await matrix((to, family, network) => pings(lab.internet, to.address[family], network === "b"), expected);
  await matrix((to, family) => connects(lab.internet, to.address[family], 80), expected);
});

test("link-local addresses and multicast end at the bridge", async () => {
  const [from] = containers.a;
  expect(await pings(from.netns, `${containers.a[1].linkLocal}%eth0`)).toBe(true);
  expect(await pings(from.netns, `${containers.b[0].linkLocal}%eth0`, false)).toBe(false);
  const answers = await tryCommand([
    ...["nsenter", `--net=${from.netns}`],
    ...["ping", "-n", "-c", "2", "-i", "0.3", "-W", "1", "ff02::1%eth0"],
  ]);
  expect(answers.stdout).toContain(containers.a[1].linkLocal);
  for (const other of [containers.b[0], containers.c[0]])
    expect(answers.stdout).not.toContain(other.linkLocal);
});

test("a network that is removed is out of the way of the others", async () => {
  await lab.network("e", { subnets: [{ subnet: "10.75.0.0/24" }] });
  const e1 = await lab.container("e1", "e");
  expect(await pings(e1.netns, "10.75.0.1")).toBe(true);
  expect((await lab.plugin("DEL", "e", e1)).status).toBe(0);
  await lab.under.service.removeNetwork({ name: "e" }, { actor: "test", node: "" });
  await lab.under.agent.sync();
  const rules = await lab.under.lab.host(["nft", "list", "ruleset"]);
  expect(rules).not.toContain("10.75.0.");
  expect(await pings(containers.a[0].netns, containers.b[0].address[4], false)).toBe(false);
});

test("without the rules they would all reach each other; the agent puts them back", async () => {
  const [a, b, c] = [containers.a[0], containers.b[0], containers.c[0]];
  const probes = [
    () => connects(a.netns, b.address[4], 80),
    () => connects(b.netns, a.address[6], 80),
    () => connects(c.netns, a.address[4], 80),
    () => connects(a.netns, gateway("b", 4), HOST_PORT),
    () => connects(c.netns, HOST[4], HOST_PORT),
    () => connects(lab.internet, c.address[6], 80),
  ];
  const open = await lab.under.withoutAgent(async () => {
    await lab.under.lab.host(["nft", "flush", "ruleset"]);
    return Promise.all(probes.map((probe) => probe()));
  });
  expect(open).toEqual(probes.map(() => true));
  const isMended = async () => (await Promise.all(probes.map((probe) => probe()))).every((one) => !one);
  expect(await waitUntil(isMended, 20_000)).toBe(true);
  expect(await connects(a.netns, containers.a[1].address[4], 80)).toBe(true);
});
