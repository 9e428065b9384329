import { Registry } from "prom-client";
import type { NetworkStatus, PoolUsage } from "../../lib/ipam/api.ts";
import { openTestService, type TestService, withMethods } from "../../test/support/ipam/ipam-fronts.ts";
import { GroupMetrics } from "./group-metrics.ts";
import { createMetrics } from "./metrics.ts";

const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };

let under: TestService;
beforeEach(async () => {
  under = await openTestService();
});
afterEach(() => under.service.close());

const samples = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(name));

test("addresses are counted by pool and state, of the networks that there are now", async () => {
  const metrics = createMetrics(under.service);
  const caller = { actor: "test", node: "n1" };
  await under.service.createNetwork({ name: "web", ipv6: true }, caller);
  await under.service.acquire({ key: KEY }, caller);
  await under.service.quarantine({ address: "10.77.0.9", reason: "seen" }, caller);
  const counted = samples(await metrics.render(), "fairlead_pool_addresses");
  const [pool4, pool6] = ['{network="web",pool="0",family="4"', '{network="web",pool="1",family="6"'];
  expect(counted).toEqual([
    `fairlead_pool_addresses${pool4},state="bound"} 1`,
    `fairlead_pool_addresses${pool4},state="cooling"} 0`,
    `fairlead_pool_addresses${pool4},state="quarantined"} 1`,
    `fairlead_pool_addresses${pool4},state="withheld"} 1`,
    `fairlead_pool_addresses${pool4},state="free"} 251`,
    `fairlead_pool_addresses${pool6},state="bound"} 1`,
    `fairlead_pool_addresses${pool6},state="cooling"} 0`,
    `fairlead_pool_addresses${pool6},state="quarantined"} 0`,
    `fairlead_pool_addresses${pool6},state="withheld"} 1`,
    expect.stringMatching(/state="free"\} \d+$/),
  ]);
  await under.service.release({ key: KEY }, caller);
  await under.service.removeNetwork({ name: "web" }, caller);
  expect(samples(await metrics.render(), "fairlead_pool_addresses")).toEqual([]);
});

test("the pools of the first 500 networks are measured, of more there are too many", async () => {
  const names = Array.from({ length: 501 }, (_, at) => `n${at}`);
  const pool = { pool: 0, family: 4, bound: 1, cooling: 0, quarantined: 0, withheld: "0", free: "0" };
  const service = withMethods(under.service, {
    listNetworks: async () => names.map((name) => ({ name })) as never,
    networkStatus: async () => ({ pools: [pool as unknown as PoolUsage] }) as unknown as NetworkStatus,
  });
  const text = await createMetrics(service).render();
  const measured = samples(text, "fairlead_pool_addresses").filter((line) => line.includes('"bound"'));
  expect(measured.map((line) => /network="(\w+)"/.exec(line)?.[1])).toEqual(names.slice(0, 500));
});

test("of a group of changes there is its size, and in seconds where its time went", async () => {
  const registry = new Registry();
  const groups = new GroupMetrics();
  groups.registerIn(registry);
  groups.observe({ requests: 3, waitedMs: 20, stagedMs: 4, committedMs: 500 });
  groups.observe({ requests: 1, waitedMs: 10, stagedMs: 1, committedMs: null });
  const text = await registry.metrics();
  const total = (name: string) =>
    ["sum", "count"].map((part) =>
      Number(samples(text, `fairlead_group_${name}_${part} `)[0]?.split(" ")[1]),
    );
  expect(total("requests")).toEqual([4, 2]);
  expect(total("wait_seconds")).toEqual([expect.closeTo(0.03), 2]);
  expect(total("stage_seconds")).toEqual([expect.closeTo(0.005), 2]);
  // What was not committed took no time to commit.
  expect(total("commit_seconds")).toEqual([0.5, 1]);
  expect(samples(text, 'fairlead_group_requests_bucket{le="2"}')).toEqual([
    'fairlead_group_requests_bucket{le="2"} 1',
  ]);
});
