import { parseAddress } from "../../../lib/addr/address.ts";
import type { Endpoint, Event, Network } from "../../../lib/ipam/api.ts";
import { silentLogger } from "../../../lib/log.ts";
import type { ContainerUpstream } from "../../../lib/runtime/container-upstreams.ts";
import { endpointOf, networkOf } from "../../../test/support/dns/dns-fixture.ts";
import { waitUntil } from "../../../test/support/lab/lab-process.ts";
import { settleTurns } from "../../../test/support/turns.ts";
import { Follower } from "./follower.ts";
import { Names } from "./names.ts";

let networks: Network[];
let endpoints: Endpoint[];
let asked: string[];
let broken: boolean;
let changed: string[][];
/** Container → its own name servers. */
let upstreams: Record<string, ContainerUpstream[]>;
let names: Names;
/** Resolved when something was logged. */
let warned: PromiseWithResolvers<void>;
let follower: Follower;
/** What a list of networks waits for, and what one of a single container does. */
let held: { networks?: Promise<void>; place?: Promise<void> };
let warnings: number;

beforeEach(() => {
  held = {};
  warnings = 0;
  networks = [networkOf("net", { subnets: { "10.1.0.0/24": "10.1.0.1" } })];
  endpoints = [];
  asked = [];
  broken = false;
  changed = [];
  upstreams = {};
  warned = Promise.withResolvers();
  names = new Names();
  const warn = (): void => {
    warnings += 1;
    warned.resolve();
  };
  follower = new Follower({
    service: {
      listNetworks: async () => {
        asked.push("networks");
        if (broken) throw new Error("away");
        await held.networks;
        return networks;
      },
      listEndpoints: async ({ networkName, containerId }) => {
        asked.push(`${networkName ?? "*"}/${containerId ?? "*"}`);
        if (broken) throw new Error("away");
        if (containerId !== undefined) await held.place;
        return endpoints.filter(
          (one) =>
            (networkName ?? one.networkName) === one.networkName &&
            (containerId ?? one.containerId) === one.containerId,
        );
      },
    },
    names,
    logger: { ...silentLogger, warn },
    linksOf: (containerId) => {
      if (containerId === "broken") throw new Error("no file");
      return [{ target: "db", alias: `${containerId}-db` }];
    },
    upstreamsOf: (containerId) => {
      if (containerId === "broken") throw new Error("no file");
      return upstreams[containerId] ?? [];
    },
    onChanged: ({ networks: listed, touched }) => changed.push([...(listed ? ["networks"] : []), ...touched]),
  });
});
afterEach(() => follower.close());

function event(kind: Event["kind"], containerId = "", networkName = "net"): void {
  follower.onEvent({ kind, containerId, networkName } as Event);
}

const found = (name: string, networkName = "net", source = "10.1.0.1") => {
  const asker = names.askerAt(networkName, source);
  return asker ? names.find(asker, name).length : -1;
};

test("a reset lists everything, and forgets what is not there any more", async () => {
  endpoints = [endpointOf("net", "a", ["10.1.0.2/24"]), endpointOf("net", "b", ["10.1.0.3/24"])];
  follower.onReset();
  await follower.settled();
  expect([found("a"), found("b")]).toEqual([1, 1]);
  expect(changed).toEqual([["networks", "net"]]);
  endpoints = [endpointOf("net", "b", ["10.1.0.3/24"])];
  follower.onReset();
  await follower.settled();
  expect([found("a"), found("b")]).toEqual([0, 1]);
});

test("before anything was listed an event asks about its container alone, where its network is known", async () => {
  names.setNetworks(networks);
  event("lease-bound", "a");
  await follower.settled();
  expect(asked).toEqual(["net/a"]);
});

test("a container with several interfaces on a network has all their addresses after a reset", async () => {
  const second = { ...endpointOf("net", "a", ["10.1.0.3/24"]), ifname: "eth1" };
  endpoints = [endpointOf("net", "a", ["10.1.0.2/24"]), second, endpointOf("net", "b", ["10.1.0.4/24"])];
  for (let round = 0; round < 2; round += 1) {
    follower.onReset();
    await follower.settled();
    expect([found("a"), found("b"), names.memberCount]).toEqual([2, 1, 3]);
  }
});

test("at most sixteen questions are asked at once", async () => {
  follower.onReset();
  await follower.settled();
  asked = [];
  const [first, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  held = { place: first.promise };
  event("lease-bound", "first");
  for (let at = 0; at < 20; at += 1) event("lease-bound", `c${at}`);
  held = { place: rest.promise };
  first.resolve();
  await settleTurns();
  expect(asked).toHaveLength(1 + 16);
  rest.resolve();
  await follower.settled();
  expect(asked).toHaveLength(1 + 20);
});

test("an event makes one question about its container, however many there are", async () => {
  follower.onReset();
  await follower.settled();
  asked = [];
  endpoints = [endpointOf("net", "a", ["10.1.0.2/24"])];
  event("lease-bound", "a");
  await follower.settled();
  expect(asked).toEqual(["net/a"]);
  expect(changed.at(-1)).toEqual(["net"]);
  expect(found("a")).toBe(1);
  asked = [];
  endpoints = [];
  event("lease-bound", "a");
  event("lease-bound", "a");
  event("lease-released", "a");
  event("lease-released", "a");
  await follower.settled();
  expect(found("a")).toBe(0);
  expect(asked.length).toBeLessThanOrEqual(2);
});

test("networks come and go by their events, or with the first attachment to one that is not known", async () => {
  follower.onReset();
  await follower.settled();
  networks = [...networks, networkOf("new", { subnets: { "10.2.0.0/24": "10.2.0.1" } })];
  event("network-created", "", "new");
  await follower.settled();
  expect(names.network("new")).toBeDefined();
  networks = [networkOf("third", { subnets: { "10.3.0.0/24": "10.3.0.1" } })];
  endpoints = [endpointOf("third", "a", ["10.3.0.2/24"])];
  event("lease-bound", "a", "third");
  await follower.settled();
  expect(found("a", "third", "10.3.0.1")).toBe(1);
  expect(names.network("net")).toBeUndefined();
});

test("what came before an event, while something was listed, is not lost by it", async () => {
  const gate = Promise.withResolvers<void>();
  follower.onReset();
  await follower.settled();
  held = { networks: gate.promise };
  event("network-changed");
  await settleTurns();
  // Of these nothing is told by an event.
  endpoints = [endpointOf("net", "missed", ["10.1.0.2/24"]), endpointOf("net", "a", ["10.1.0.3/24"])];
  follower.onReset();
  event("lease-bound", "a");
  gate.resolve();
  await follower.settled();
  expect([found("missed"), found("a")]).toEqual([1, 1]);
});

test("a network's event is not lost by one about a container that comes right after it", async () => {
  const gate = Promise.withResolvers<void>();
  follower.onReset();
  await follower.settled();
  held = { place: gate.promise };
  event("lease-bound", "a");
  await settleTurns();
  networks = [networkOf("net", { subnets: { "10.4.0.0/24": "10.4.0.1" } })];
  event("network-changed");
  event("lease-bound", "a");
  gate.resolve();
  await follower.settled();
  expect(names.network("net")?.gateways).toEqual([parseAddress("10.4.0.1")]);
  expect(changed.at(-1)).toEqual(["networks", "net"]);
});

test("events about no container need nothing", async () => {
  follower.onReset();
  await follower.settled();
  asked = [];
  event("address-reserved");
  event("server-started");
  await follower.settled();
  expect(asked).toEqual([]);
});

test("while the service is away nothing is forgotten, and everything is made up for", async () => {
  follower.onReset();
  await follower.settled();
  endpoints = [endpointOf("net", "a", ["10.1.0.2/24"])];
  broken = true;
  event("lease-bound", "a");
  await warned.promise;
  expect(follower.trouble).toBe("away");
  expect(found("a")).toBe(0);
  broken = false;
  await follower.settled();
  expect(found("a")).toBe(1);
  expect(follower.trouble).toBe("");
});

test("why the service cannot be asked is said once, and again after it could be", async () => {
  const fail = async (): Promise<void> => {
    broken = true;
    const before = asked.length;
    event("network-created");
    await settleTurns();
    warningsAtFirst.push(warnings);
    expect(await waitUntil(async () => asked.length > before + 1, 30_000)).toBe(true);
  };
  const warningsAtFirst: number[] = [];
  await fail();
  expect(warnings).toBe(1);
  broken = false;
  await follower.settled();
  await fail();
  expect(warnings).toBe(2);
  expect(warningsAtFirst).toEqual([1, 2]);
});

test("links are read for the predefined bridge; a file that cannot be read costs the links only", async () => {
  networks = [networkOf("bridge", { origin: "predefined", subnets: { "10.9.0.0/24": "10.9.0.1" } })];
  endpoints = [
    endpointOf("bridge", "db", ["10.9.0.2/24"]),
    endpointOf("bridge", "app", ["10.9.0.3/24"]),
    endpointOf("bridge", "broken", ["10.9.0.4/24"]),
  ];
  follower.onReset();
  await follower.settled();
  expect(found("app-db", "bridge", "10.9.0.3")).toBe(1);
  expect(found("app-db", "bridge", "10.9.0.2")).toBe(0);
  expect(names.memberCount).toBe(3);
});

test("who waits for the later of two is not told of the earlier", async () => {
  const [earlier, later] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  held = { networks: earlier.promise, place: later.promise };
  const order: string[] = [];
  follower.onReset();
  const first = follower.settled().then(() => order.push("first"));
  event("lease-bound", "a");
  const second = follower.settled().then(() => order.push("second"));
  earlier.resolve();
  await first;
  expect(order).toEqual(["first"]);
  later.resolve();
  await second;
  expect(order).toEqual(["first", "second"]);
});

test("one unknown network among others is enough for a list", async () => {
  follower.onReset();
  await follower.settled();
  networks = [...networks, networkOf("new", { subnets: { "10.2.0.0/24": "10.2.0.1" } })];
  endpoints = [endpointOf("net", "a", ["10.1.0.2/24"]), endpointOf("new", "b", ["10.2.0.2/24"])];
  follower.onEvent({ kind: "lease-bound", containerId: "z", networkName: "net" } as Event);
  event("lease-bound", "a");
  event("lease-bound", "b", "new");
  await follower.settled();
  expect([found("a"), found("b", "new", "10.2.0.1")]).toEqual([1, 1]);
});

test("of a container that is gone nothing is read", async () => {
  follower.onReset();
  await follower.settled();
  event("lease-released", "broken", "bridge");
  await follower.settled();
  const gone = [endpointOf("net", "broken", ["10.1.0.2/24"])];
  names.setEndpoints({ networkName: "net", containerId: "broken", endpoints: gone, links: [] });
  follower.onReset();
  await follower.settled();
  expect(warnings).toBe(0);
});

test("closing ends every wait", async () => {
  broken = true;
  follower.onReset();
  const waiting = follower.settled();
  follower.close();
  await waiting;
});

test("a container's own name servers are read with its attachments, on whatever network", async () => {
  const server = { address: "192.0.2.53", port: 53 };
  upstreams = { a: [server] };
  endpoints = [endpointOf("net", "a", ["10.1.0.2/24"]), endpointOf("net", "broken", ["10.1.0.3/24"])];
  follower.onReset();
  await follower.settled();
  const own = (source: string) => names.askerAt("net", source)?.upstreams;
  expect([own("10.1.0.2"), own("10.1.0.3")]).toEqual([[server], []]);
  // Links are not even looked for there.
  expect(warnings).toBe(1);
  upstreams = {};
  event("lease-bound", "a");
  await follower.settled();
  expect(own("10.1.0.2")).toEqual([]);
});
