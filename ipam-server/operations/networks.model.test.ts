/**
 * Networks as objects against a model that is too simple to be wrong, under random histories: networks come and
 * go, containers join several of them, commits fail, the server crashes.
 *
 * The model knows which networks there are and who is on which. A refusal must be deserved, what the default
 * pools give must be free, and after each step every way to ask for endpoints must answer as the model does.
 */

import fc from "fast-check";
import { FairleadError } from "../../lib/errors.ts";
import type { CreateNetworkRequest, EndpointFilter, Network } from "../../lib/ipam/api.ts";
import { OPTION } from "../../lib/ipam/network-options.ts";
import { ADMIN, type Fixture, NODE1, newFixture } from "../../test/support/ipam/ipam-fixture.ts";

const NAMES = ["a", "b", "c", "bridge", "host"] as const;
const CONTAINERS = ["x", "y", "z"] as const;
const IFNAMES = ["eth0", "eth1"] as const;
/** Room for three networks beside those that name a subnet inside it. */
const DEFAULTS = { coolingSeconds: 60, defaultPools: [{ base: "10.64.0.0/22", size: 24 }] };
const predefined = { avoid: () => [] };

/** What the model remembers of a network. */
interface Known {
  readonly driver: string;
  readonly subnets: readonly string[];
  readonly bridge: string;
  readonly origin: Network["origin"];
}

type Op =
  | { op: "create"; request: CreateNetworkRequest }
  | { op: "remove"; name: string }
  | { op: "acquire" | "release"; name: string; containerId: string; ifname: string };

type Step = { step: "op"; op: Op; fail: boolean } | { step: "wait" } | { step: "crash" };

class Model {
  readonly networks = new Map<string, Known>();
  /** `network container ifname`. */
  readonly endpoints = new Set<string>();

  isUsed(name: string): boolean {
    return [...this.endpoints].some((endpoint) => endpoint.startsWith(`${name} `));
  }

  /** Networks that have what a request of these properties must not have too. */
  hasOther(matches: (known: Known) => boolean): boolean {
    return [...this.networks.values()].some(matches);
  }

  subnets(): string[] {
    return [...this.networks.values()].flatMap(({ subnets }) => subnets);
  }
}

const SINGLE = ["host", "null"];
const BLOCKS = ["10.64.0.0/24", "10.64.1.0/24", "10.64.2.0/24", "10.64.3.0/24"];

/** Why a request must be refused; null when it must not. All named subnets are blocks, so they overlap or are equal. */
function refusalOf(model: Model, { name, driver = "bridge", subnets, options = {} }: CreateNetworkRequest) {
  const bridge = options[OPTION.bridgeName];
  if (["bridge", "host", "none"].includes(name)) return "network-predefined";
  if (model.networks.has(name)) return "network-exists";
  if (driver === "macvlan" && options["parent"] === undefined) return "option-missing";
  if (SINGLE.includes(driver) && subnets !== undefined) return "driver-without-addresses";
  if (SINGLE.includes(driver) && model.hasOther((known) => known.driver === driver)) return "driver-single";
  if (bridge !== undefined && model.hasOther((known) => known.bridge === bridge)) return "bridge-name-taken";
  const wanted = subnets?.[0]?.subnet;
  if (wanted !== undefined && model.subnets().includes(wanted)) return "subnet-overlap";
  const isLeased = driver === "bridge" && wanted === undefined;
  const isFull = BLOCKS.every((block) => model.subnets().includes(block));
  return isLeased && isFull ? "default-pools-exhausted" : null;
}

function subnetsOf({ pools }: Network): string[] {
  return pools.flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet));
}

function judgeCreate(model: Model, request: CreateNetworkRequest, made: Network): void {
  const subnets = subnetsOf(made);
  for (const subnet of subnets) expect(model.subnets()).not.toContain(subnet);
  const asked = request.subnets?.map(({ subnet }) => subnet);
  if (asked !== undefined) expect(subnets).toEqual(asked);
  else expect(subnets).toHaveLength(made.driver === "bridge" ? 1 : 0);
  const bridge = request.options?.[OPTION.bridgeName] ?? "";
  model.networks.set(made.name, { driver: made.driver, subnets, bridge, origin: made.origin });
}

function removalRefusal(model: Model, name: string): string | null {
  const known = model.networks.get(name);
  if (known === undefined) return "network-not-found";
  if (known.origin === "predefined") return "network-predefined";
  return model.isUsed(name) ? "network-in-use" : null;
}

function acquireRefusal(model: Model, name: string): string | null {
  const known = model.networks.get(name);
  if (known === undefined) return "network-not-found";
  return known.subnets.length === 0 ? "network-without-addresses" : null;
}

function expectedRefusal(model: Model, op: Op): string | null {
  if (op.op === "create") return refusalOf(model, op.request);
  if (op.op === "remove") return removalRefusal(model, op.name);
  return op.op === "acquire" ? acquireRefusal(model, op.name) : null;
}

function send({ service }: Fixture, op: Op): Promise<unknown> {
  if (op.op === "create") return service.createNetwork(op.request, ADMIN);
  if (op.op === "remove") return service.removeNetwork({ name: op.name }, ADMIN);
  const { name: networkName, containerId, ifname } = op;
  const key = { networkName, containerId, ifname };
  return op.op === "acquire" ? service.acquire({ key }, NODE1) : service.release({ key }, NODE1);
}

function follow(model: Model, op: Op, value: unknown): void {
  if (op.op === "create") judgeCreate(model, op.request, value as Network);
  else if (op.op === "remove") model.networks.delete(op.name);
  else if (op.op === "acquire") model.endpoints.add(`${op.name} ${op.containerId} ${op.ifname}`);
  else model.endpoints.delete(`${op.name} ${op.containerId} ${op.ifname}`);
}

async function perform(fixture: Fixture, model: Model, { op, fail }: { op: Op; fail: boolean }) {
  fixture.store.failure = fail ? "full" : null;
  const failedBefore = fixture.store.failedCommits;
  const expected = expectedRefusal(model, op);
  const outcome = await send(fixture, op).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  fixture.store.failure = null;
  if (fixture.store.failedCommits > failedBefore) {
    expect(outcome).toMatchObject({ error: { code: "unavailable" } });
    fixture.clock.advance(1000);
  } else if ("error" in outcome) {
    if (!(outcome.error instanceof FairleadError)) throw outcome.error;
    expect(outcome.error.details).toMatchObject({ rule: expected });
  } else {
    expect(expected).toBeNull();
    follow(model, op, outcome.value);
  }
}

async function checkAgainst({ service }: Fixture, model: Model): Promise<void> {
  const networks = await service.listNetworks();
  expect(networks.map(({ name }) => name)).toEqual([...model.networks.keys()].sort());
  for (const { name, attachments } of networks) {
    const count = [...model.endpoints].filter((endpoint) => endpoint.startsWith(`${name} `)).length;
    expect([name, attachments]).toEqual([name, count]);
  }
  const filters: EndpointFilter[] = [
    {},
    ...CONTAINERS.map((containerId) => ({ containerId })),
    ...NAMES.map((networkName) => ({ networkName })),
    ...NAMES.map((networkName) => ({ networkName, containerId: "x", ifname: "eth1" })),
  ];
  for (const filter of filters) {
    const found = (await service.listEndpoints(filter)).map(
      ({ networkName, containerId, ifname }) => `${networkName} ${containerId} ${ifname}`,
    );
    const parts = [filter.networkName, filter.containerId, filter.ifname];
    const expected = [...model.endpoints].filter((endpoint) =>
      endpoint.split(" ").every((part, at) => parts[at] === undefined || parts[at] === part),
    );
    expect(found.sort()).toEqual(expected.sort());
  }
  expect((await service.checkConsistency()).findings).toEqual([]);
}

async function run(steps: readonly Step[]): Promise<void> {
  let fixture = await newFixture({ defaults: DEFAULTS, predefined });
  const model = new Model();
  for (const network of await fixture.service.listNetworks()) {
    const bridge = network.options[OPTION.bridgeName] ?? "";
    const { driver, origin, name } = network;
    model.networks.set(name, { driver, subnets: subnetsOf(network), bridge, origin });
  }
  for (const step of steps) {
    if (step.step === "wait") fixture.clock.advance(61_000);
    else if (step.step === "crash") fixture = await fixture.reopen();
    else await perform(fixture, model, step);
    await checkAgainst(fixture, model);
  }
  await fixture.service.close();
}

const name = fc.constantFrom(...NAMES);
const request: fc.Arbitrary<CreateNetworkRequest> = fc
  .record(
    {
      name,
      driver: fc.constantFrom("bridge", "bridge", "bridge", "macvlan", "host", "null"),
      subnets: fc.constantFrom(...BLOCKS).map((subnet) => [{ subnet }]),
      parent: fc.constant("eth0"),
      bridge: fc.constantFrom("br0", "fl-bridge0"),
    },
    { requiredKeys: ["name", "driver"] },
  )
  .map(({ name: own, driver, subnets, parent, bridge }) => {
    const named = driver === "bridge" && bridge !== undefined ? { [OPTION.bridgeName]: bridge } : {};
    const options = driver === "macvlan" && parent !== undefined ? { parent } : named;
    return { name: own, driver, options, ...(subnets !== undefined && { subnets }) };
  });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("create" as const), request }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("remove" as const), name }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom("acquire" as const, "acquire" as const, "release" as const),
      name,
      containerId: fc.constantFrom(...CONTAINERS),
      ifname: fc.constantFrom(...IFNAMES),
    }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      step: fc.constant("op" as const),
      op,
      fail: fc.integer({ min: 0, max: 9 }).map((each) => each === 0),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ step: "wait" as const }) },
  { weight: 1, arbitrary: fc.constant({ step: "crash" as const }) },
);

test("no history of networks, containers, failures and crashes leads the service away from the model", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), run), { numRuns: 150 });
}, 120_000);
