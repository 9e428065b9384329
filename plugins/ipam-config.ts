/**
 * The `ipam` section of type `fairlead-ipam`: host-local's keys and our own.
 *
 * Shared by `fairlead-ipam` and by the plugins that speak to the service without a second process.
 *
 * Source: README of the reference plugin `host-local` for ranges, routes and resolvConf; CNI CONVENTIONS.md for
 * requested addresses.
 */
import { configurationError } from "../lib/cni/config.ts";
import {
  type Complain,
  fieldValue,
  integer,
  list,
  NETWORK_CONFIGURATION,
  object,
  optionalInteger,
  type Read,
  readFields,
  readLeniently,
  text,
} from "../lib/cni/fields.ts";
import { isObject, type JsonObject } from "../lib/cni/json.ts";
import { misspelt } from "../lib/cni/misspelt.ts";
import { type ResultRoute, ROUTE_FIELDS, routeOf } from "../lib/cni/result.ts";
import {
  ARGS,
  aliasesOn,
  INTERFACE_RUNTIME_CONFIG,
  IP_RANGE,
  IPAM_SECTION,
  type IpRange,
} from "../lib/cni/sections.ts";
import type { NetworkDeclaration, RangeDeclaration } from "../lib/ipam/api.ts";
import { joinNames } from "./container-names.ts";

/** The type that our own plugins serve in process. */
export const FAIRLEAD_IPAM = "fairlead-ipam";

/** Keys of CNI_ARGS that say something about addresses or names. */
export const IPAM_ARG_KEYS: readonly string[] = ["IP", "K8S_POD_NAME", "K8S_POD_NAMESPACE"];

const DEFAULT_SOCKET = "/run/fairlead/fairlead.sock";
const DEFAULT_STATE_DIR = "/var/lib/fairlead";
const DEFAULT_TIMEOUT_SECONDS = 10;
const LONGEST_TIMEOUT_SECONDS = 60;
const LONGEST_COOLING_SECONDS = 7 * 24 * 3600;

/** Where the service is, and how long it may take. */
const SERVICE_FIELDS = {
  socket: text(DEFAULT_SOCKET),
  stateDir: text(DEFAULT_STATE_DIR),
  timeoutSeconds: integer({ min: 1, max: LONGEST_TIMEOUT_SECONDS, absent: DEFAULT_TIMEOUT_SECONDS }),
};

const IPAM_FIELDS = {
  ...IP_RANGE,
  ...SERVICE_FIELDS,
  ranges: list(list(object(IP_RANGE))),
  routes: list(object(ROUTE_FIELDS)),
  resolvConf: text(),
  addressSpace: text(),
  coolingSeconds: optionalInteger({ max: LONGEST_COOLING_SECONDS }),
};

const SURROUNDING_FIELDS = { ipam: IPAM_SECTION, runtimeConfig: INTERFACE_RUNTIME_CONFIG, args: ARGS };

/** Everything of a configuration that concerns addresses. */
export interface IpamConfig {
  /** Undefined: the network must exist in the service, and all its pools are used. */
  readonly declaration: NetworkDeclaration | undefined;
  /** Without prefix length. */
  readonly requestedAddresses: readonly string[];
  /** Names under which the container wants to be found, its own first, each once. */
  readonly names: readonly string[];
  /** What the workload is called, whichever container plays it: it gets the address again that it had. Empty: nothing. */
  readonly stickyName: string;
  readonly routes: readonly ResultRoute[];
  /** Path, or empty. */
  readonly resolvConf: string;
  readonly socket: string;
  readonly stateDir: string;
  readonly timeoutMs: number;
}

/** Where {@link readIpamConfig} looks. */
export interface IpamConfigSource {
  /** The whole configuration, not just its `ipam` section. */
  readonly raw: JsonObject;
  readonly networkName: string;
  /** The pairs of CNI_ARGS; empty for verbs that have none. */
  readonly args: ReadonlyMap<string, string>;
}

/**
 * Reads every key that concerns addresses. The ranges themselves are checked by the service.
 *
 * @throws FairleadError invalid-config, naming the key.
 */
export function readIpamConfig({ raw, networkName, args }: IpamConfigSource): IpamConfig {
  const { ipam, runtimeConfig, args: metadata } = readFields(SURROUNDING_FIELDS, raw);
  refuseMisspelt(ipam.raw);
  const read = readFields(IPAM_FIELDS, ipam.raw, { path: "ipam", reading: NETWORK_CONFIGURATION });
  const requested = [...listOf(args.get("IP")), ...metadata.cni.ips, ...runtimeConfig.ips];
  return {
    declaration: declarationOf(read, runtimeConfig.ipRanges),
    requestedAddresses: [...new Set(requested.map(withoutLength))],
    names: joinNames([
      { path: "CNI_ARGS K8S_POD_NAME", names: podNames(args) },
      { path: "args.cni.names", names: metadata.cni.names },
      { path: "runtimeConfig.aliases", names: aliasesOn(networkName, runtimeConfig.aliases) },
    ]),
    stickyName: podNames(args).at(-1) ?? metadata.cni.names[0] ?? "",
    routes: read.routes.map(requiredRoute),
    resolvConf: read.resolvConf,
    socket: read.socket,
    stateDir: read.stateDir,
    timeoutMs: read.timeoutSeconds * 1000,
  };
}

/**
 * What it takes to give addresses back: where the service is, by whatever keys can be read. Nothing is asked for.
 *
 * Never throws: `complain` hears of the keys that it did without.
 */
export function readIpamLeniently(raw: JsonObject, complain: Complain): IpamConfig {
  const section = fieldValue(raw, "ipam");
  const place = { path: "ipam", reading: NETWORK_CONFIGURATION, complain };
  const { socket, stateDir, timeoutSeconds } = readLeniently(SERVICE_FIELDS, section, place);
  return {
    declaration: undefined,
    requestedAddresses: [],
    names: [],
    routes: [],
    stickyName: "",
    resolvConf: "",
    socket,
    stateDir,
    timeoutMs: timeoutSeconds * 1000,
  };
}

const RANGE_KEYS = Object.keys(IP_RANGE);
const KEYS = ["type", "dataDir", ...Object.keys(IPAM_FIELDS)];

/**
 * A key that is nearly one of ours would be a wish that is dropped: a range that is not kept to. Others may be there.
 *
 * @throws FairleadError invalid-config with the right spelling
 */
function refuseMisspelt(ipam: JsonObject): void {
  checkSpelling(ipam, KEYS, "ipam");
  const { ranges } = ipam;
  if (!Array.isArray(ranges)) return;
  for (const [at, set] of ranges.entries()) {
    if (!Array.isArray(set)) continue;
    for (const [index, range] of set.entries())
      if (isObject(range)) checkSpelling(range, RANGE_KEYS, `ipam.ranges[${at}][${index}]`);
  }
}

function checkSpelling(section: JsonObject, known: readonly string[], path: string): void {
  for (const key in section) {
    const meant = misspelt(key, known);
    if (meant === null) continue;
    throw configurationError(
      `${path}.${key}`,
      "there is no such key",
      `did you mean ${JSON.stringify(meant)}?`,
    );
  }
}

/** A route of the `ipam` section. @throws FairleadError invalid-config when it names no destination. */
export function requiredRoute(route: Read<typeof ROUTE_FIELDS>, index: number): ResultRoute {
  if (route.dst !== "") return routeOf(route);
  throw configurationError(
    `ipam.routes[${index}]`,
    "a route names no destination",
    'give each route a "dst"',
  );
}

/**
 * The pod's name, and where it is in a namespace, `name.namespace`, which no other pod has. podman gives the container's
 * name as both; that says nothing more.
 */
function podNames(args: ReadonlyMap<string, string>): string[] {
  const names = listOf(args.get("K8S_POD_NAME"));
  const namespace = args.get("K8S_POD_NAMESPACE") ?? "";
  const [name] = names;
  return name === undefined || namespace === "" || namespace === name
    ? names
    : [...names, `${name}.${namespace}`];
}

/** The parts of a value of CNI_ARGS. */
export function listOf(value: string | undefined): string[] {
  return value ? value.split(",") : [];
}

function withoutLength(address: string): string {
  return address.replace(/\/\d*$/, "");
}

/** Order as in host-local: the runtime's ranges, then the single one, then the list. */
function declarationOf(
  read: Read<typeof IPAM_FIELDS>,
  fromRuntime: readonly (readonly IpRange[])[],
): NetworkDeclaration | undefined {
  const { addressSpace, coolingSeconds } = read;
  const single = read.subnet === "" ? [] : [[read]];
  const rangeSets = [...fromRuntime, ...single, ...read.ranges];
  if (rangeSets.length === 0) return undefined;
  return {
    rangeSets: rangeSets.map((set, index) => set.map((range) => rangeOf(range, index))),
    ...(addressSpace !== "" && { addressSpace }),
    ...(coolingSeconds !== undefined && { coolingSeconds }),
  };
}

function rangeOf(
  { subnet, rangeStart, rangeEnd, gateway, exclude }: IpRange,
  index: number,
): RangeDeclaration {
  if (subnet === "") {
    throw configurationError(
      `ipam.ranges[${index}]`,
      "a range names no subnet",
      'give each range a "subnet"',
    );
  }
  return {
    subnet,
    ...(rangeStart !== "" && { rangeStart }),
    ...(rangeEnd !== "" && { rangeEnd }),
    ...(gateway !== "" && { gateway }),
    ...(exclude.length > 0 && { exclude }),
  };
}
