/** What `fairlead network create` does. */

import { tryParsePrefix } from "../../lib/addr/prefix.ts";
import { parseRange, rangesOverlap } from "../../lib/addr/range.ts";
import type { CreateNetworkRequest, Network, SubnetSpec } from "../../lib/ipam/api.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { Io } from "../base/io.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { WordedError } from "../base/worded-error.ts";
import { matchSubnets } from "../network/subnets.ts";
import { inDockersWords, refuseReservedName } from "../network/words.ts";
import { readHostPrefixes } from "../node/host-prefixes.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";
import { followOnNode, warn } from "./network-follow.ts";
import type { CreateInput } from "./network-options.ts";

type CreateOptions = CreateInput["options"];

interface Invocation {
  readonly io: Io;
  readonly options: CreateOptions;
}

export async function runCreate({ args: [name = ""], options }: CreateInput, io: Io): Promise<number> {
  const request = createRequest(name, options);
  await refuseMissingParent(request);
  const network = await withService(io, options.socket, (service) =>
    create(service, request, { io, options }),
  );
  await io.out(options.json ? formatJson(network) : `${network.id}\n`);
  return 0;
}

/** A macvlan over nothing would be found out by its first container. @throws WordedError */
async function refuseMissingParent({ driver, options = {} }: CreateNetworkRequest): Promise<void> {
  const parent = options["parent"];
  if (driver !== "macvlan" || parent === undefined || parent === "") return;
  const { linkExists } = await import("../node/device.ts");
  if (linkExists(parent)) return;
  const [, link, vlan] = /^(.+)\.(\d+)$/.exec(parent) ?? [];
  const how =
    link === undefined
      ? "see the interfaces with: ip link"
      : `make it with: ip link add link ${link} name ${parent} type vlan id ${vlan}`;
  throw new WordedError("not-found", `parent ${parent}: there is no such interface on this node; ${how}`);
}

/** The network is there and on this node, or not at all. */
async function create(
  service: CliService,
  request: CreateNetworkRequest,
  { io, options }: Invocation,
): Promise<Network> {
  const network = await createOrRefuse(service, request);
  const problems = await followOnNode(io, options["agent-socket"], [network.name]);
  const errors = problems.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return takeBack(service, { network, errors }, { io, options });
  for (const { message } of problems) await warn(io, message);
  for (const message of hiddenWays(network, request.avoid ?? [])) await warn(io, message);
  return network;
}

/** What a subnet out of the default pools takes from this host, where every pool is routed elsewhere. */
function hiddenWays({ pools }: Network, ways: readonly string[]): string[] {
  const subnets = pools.flatMap((pool) => pool.subnets.map(({ subnet }) => subnet));
  return subnets.flatMap((subnet) => {
    const way = ways.find((text) => rangesOverlap(parseRange(text), parseRange(subnet)));
    if (way === undefined) return [];
    return [
      `all default pools are routed elsewhere; ${subnet} hides a part of ${way}: name another one with --subnet if you need it`,
    ];
  });
}

async function createOrRefuse(service: CliService, request: CreateNetworkRequest): Promise<Network> {
  try {
    return await service.createNetwork(request, CLI_CALLER);
  } catch (thrown) {
    throw inDockersWords(thrown);
  }
}

interface FailedNetwork {
  readonly network: Network;
  readonly errors: readonly AgentProblem[];
}

/** A network that this node cannot have is removed again. */
async function takeBack(
  service: CliService,
  { network: { name, id }, errors }: FailedNetwork,
  { io, options }: Invocation,
): Promise<never> {
  const reason = errors.map(({ message }) => message).join("; ");
  try {
    await service.removeNetwork({ name: id }, CLI_CALLER);
  } catch (cause) {
    throw new WordedError("internal", `network ${name} is made, but not on this node: ${reason}`, cause);
  }
  await followOnNode(io, options["agent-socket"], []);
  throw new WordedError("unavailable", `network ${name} cannot be made on this node: ${reason}`);
}

/** @throws WordedError for what makes no sense, before anybody is asked. */
export function createRequest(name: string, options: CreateOptions): CreateNetworkRequest {
  refuseReservedName(name);
  refuseUnsupported(options);
  const subnets = matchSubnets({
    subnets: options.subnet,
    ranges: options["ip-range"],
    gateways: options.gateway,
    auxAddresses: options["aux-address"],
  });
  const { driver, ipv6, internal, attachable } = options;
  if (!options.ipv4) refuseIpv4(subnets, ipv6);
  const ipv4 = ipv4Wish(options, subnets);
  return {
    name,
    driver,
    subnets,
    ipv6,
    internal,
    attachable,
    options: options.opt,
    labels: labelsOf(options.label),
    ...ipamOptions(options["ipam-opt"]),
    ...(ipv4 !== undefined && { ipv4 }),
    ...(needsPool(subnets, { ipv4, ipv6 }) && { avoid: readHostPrefixes() }),
  };
}

/**
 * What the service is told of IPv4; undefined: what it does by itself, an IPv4 subnet where no subnet is named. As Docker has it: IPv4 is
 * on beside IPv6 subnets, unless it is switched off. On macvlan a subnet is the LAN's, and has to be named.
 */
function ipv4Wish(
  { ipv4, driver }: Pick<CreateOptions, "ipv4" | "driver">,
  subnets: readonly SubnetSpec[],
): boolean | undefined {
  if (subnets.length === 0) return ipv4 ? undefined : false;
  return ipv4 && driver === "bridge" && firstOf(4, subnets) === undefined ? true : undefined;
}

function firstOf(family: 4 | 6, subnets: readonly SubnetSpec[]): SubnetSpec | undefined {
  return subnets.find(({ subnet }) => tryParsePrefix(subnet)?.address.family === family);
}

/** Something has to be left. @throws WordedError */
function refuseIpv4(subnets: readonly SubnetSpec[], ipv6: boolean): void {
  const given = firstOf(4, subnets);
  if (given !== undefined)
    throw new WordedError("invalid-config", `conflicting options: --ipv4=false and --subnet ${given.subnet}`);
  if (subnets.length === 0 && !ipv6)
    throw new WordedError(
      "invalid-config",
      "--ipv4=false: name the IPv6 subnet, like --subnet fd00:8::/64, or give --ipv6",
    );
}

/** Whether the service gives it a subnet out of the default pools. */
function needsPool(
  subnets: readonly SubnetSpec[],
  { ipv4 = subnets.length === 0, ipv6 }: { readonly ipv4: boolean | undefined; readonly ipv6: boolean },
): boolean {
  return ipv4 || (ipv6 && firstOf(6, subnets) === undefined);
}

/** Several labels of one key: the last one counts. */
function labelsOf(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const equals = label.indexOf("=");
      return equals < 0 ? [label, ""] : [label.slice(0, equals), label.slice(equals + 1)];
    }),
  );
}

const IPAM_DRIVERS = new Set(["default", "fairlead"]);

function refuseUnsupported(options: CreateOptions): void {
  const { scope } = options;
  if (options.ingress)
    throw new WordedError("invalid-config", "--ingress: there is no swarm, and so no routing mesh");
  if (options["config-only"] || options["config-from"] !== undefined) {
    throw new WordedError(
      "invalid-config",
      "--config-only, --config-from: there is no swarm; give the options to the network itself",
    );
  }
  if (scope === "swarm")
    throw new WordedError("invalid-config", "cannot create a swarm scoped network when swarm is not active");
  if (scope !== undefined && scope !== "" && scope !== "local") {
    throw new WordedError(
      "invalid-config",
      `scope ${JSON.stringify(scope)} is not supported; networks have scope local`,
    );
  }
  const ipamDriver = options["ipam-driver"];
  if (!IPAM_DRIVERS.has(ipamDriver)) {
    throw new WordedError(
      "invalid-config",
      `plugin ${JSON.stringify(ipamDriver)} not found; IPAM drivers are default and fairlead`,
    );
  }
}

type IpamOptions = Pick<CreateNetworkRequest, "maxAttachments" | "coolingSeconds" | "addressSpace">;

const IPAM_OPTIONS: Readonly<Record<string, (value: string) => IpamOptions>> = {
  "max-attachments": (value) => ({ maxAttachments: wholeNumber("max-attachments", value) }),
  "cooling-seconds": (value) => ({ coolingSeconds: wholeNumber("cooling-seconds", value) }),
  "address-space": (value) => ({ addressSpace: value }),
};

function ipamOptions(given: Readonly<Record<string, string>>): IpamOptions {
  const parts = Object.entries(given).map(([key, value]) => {
    const read = Object.hasOwn(IPAM_OPTIONS, key) ? IPAM_OPTIONS[key] : undefined;
    if (read !== undefined) return read(value);
    throw new WordedError(
      "invalid-config",
      `IPAM option ${JSON.stringify(key)} is not known; known are ${Object.keys(IPAM_OPTIONS).join(", ")}`,
    );
  });
  return Object.assign({}, ...parts) as IpamOptions;
}

function wholeNumber(key: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new WordedError(
    "invalid-config",
    `IPAM option ${key}: ${JSON.stringify(value)} is not a whole number`,
  );
}
