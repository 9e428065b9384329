/**
 * The `ipam` section of type `fairlead-ipam`: host-local's keys and our own.
 *
 * Shared by `fairlead-ipam` and by the plugins that speak to the service without a second process.
 *
 * Source: README of the reference plugin `host-local` for ranges, routes and resolvConf; CNI CONVENTIONS.md for
 * requested addresses.
 */
import { tryParseAddress } from "../../lib/addr/address.ts";
import { configurationError } from "../../lib/cni/config.ts";
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
} from "../../lib/cni/fields.ts";
import { describeJson, isObject, type Json, type JsonObject } from "../../lib/cni/json.ts";
import { misspelt } from "../../lib/cni/misspelt.ts";
import { type ResultRoute, ROUTE_FIELDS, routeOf } from "../../lib/cni/result.ts";
import { aliasesOn, IP_RANGE, type IpRange } from "../../lib/cni/sections.ts";
import type { NetworkDeclaration, RangeDeclaration } from "../../lib/ipam/api.ts";
import type { AddressConfig } from "./attachment.ts";
import { joinNames } from "./container-names.ts";
import { type RangeSetPlace, rangePath } from "./range-places.ts";

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

/** Everything of a configuration that concerns addresses. */
export interface IpamConfig {
  /** Undefined: the network must exist in the service, and all its pools are used. */
  readonly declaration: NetworkDeclaration | undefined;
  /** Where its range sets were written, in the same order. */
  readonly rangeSetPlaces: readonly RangeSetPlace[];
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

/**
 * Reads every key that concerns addresses. The ranges themselves are checked by the service.
 *
 * @param args the pairs of CNI_ARGS; empty for verbs that have none.
 * @throws FairleadError invalid-config, naming the key.
 */
export function readIpamConfig(
  { networkName, ipam, runtimeConfig, args: metadata }: AddressConfig,
  args: ReadonlyMap<string, string>,
): IpamConfig {
  refuseMisspelt(ipam.raw);
  const read = readFields(IPAM_FIELDS, ipam.raw, { path: "ipam", reading: NETWORK_CONFIGURATION });
  const requested = [
    ...listOf(args.get("IP")).map((text) => requestedAddress("CNI_ARGS IP", text)),
    ...metadata.cni.ips.map((text, index) => requestedAddress(`args.cni.ips[${index}]`, text)),
    ...runtimeConfig.ips.map((text, index) => requestedAddress(`runtimeConfig.ips[${index}]`, text)),
  ];
  const rangeSets = rangeSetsOf(read, runtimeConfig.ipRanges);
  return {
    declaration: declarationOf(read, rangeSets),
    rangeSetPlaces: rangeSets.map(({ place }) => place),
    requestedAddresses: [...new Set(requested)],
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
    rangeSetPlaces: [],
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
  const ranges = fieldValue(ipam, "ranges");
  if (!Array.isArray(ranges)) return;
  for (const [at, set] of ranges.entries()) {
    if (!Array.isArray(set)) continue;
    for (const [index, range] of set.entries())
      if (isObject(range)) checkSpelling(range, RANGE_KEYS, `ipam.ranges[${at}][${index}]`);
  }
}

/** `range` of whereabouts is a prefix: a letter away from our list, and yet not it. */
function wordOfOthers(key: string, value: Json | undefined): string | null {
  return key === "range" && typeof value === "string" ? "subnet" : null;
}

function checkSpelling(section: JsonObject, known: readonly string[], path: string): void {
  for (const key in section) {
    const meant = wordOfOthers(key, section[key]) ?? misspelt(key, known);
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
    `ipam.routes[${index}].dst`,
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

/** Without its length, which the subnet says. @throws FairleadError invalid-config */
function requestedAddress(key: string, text: string): string {
  const address = text.replace(/\/\d*$/, "");
  if (tryParseAddress(address) !== null) return address;
  throw configurationError(
    key,
    `${describeJson(text)} is no address`,
    "give one address, like 10.1.2.3 or fd00::5",
  );
}

interface PlacedRangeSet {
  readonly place: RangeSetPlace;
  readonly ranges: readonly IpRange[];
}

/** Order as in host-local: the runtime's ranges, then the single one, then the list. */
function rangeSetsOf(
  read: Read<typeof IPAM_FIELDS>,
  fromRuntime: readonly (readonly IpRange[])[],
): PlacedRangeSet[] {
  return [
    ...fromRuntime.map((ranges, index) => ({
      place: { path: `runtimeConfig.ipRanges[${index}]`, isList: true },
      ranges,
    })),
    ...(read.subnet === "" ? [] : [{ place: { path: "ipam", isList: false }, ranges: [read] }]),
    ...read.ranges.map((ranges, index) => ({
      place: { path: `ipam.ranges[${index}]`, isList: true },
      ranges,
    })),
  ];
}

function declarationOf(
  { addressSpace, coolingSeconds }: Read<typeof IPAM_FIELDS>,
  rangeSets: readonly PlacedRangeSet[],
): NetworkDeclaration | undefined {
  if (rangeSets.length === 0) return undefined;
  return {
    rangeSets: rangeSets.map(({ place, ranges }) =>
      ranges.map((range, index) => rangeOf(range, rangePath(place, index))),
    ),
    ...(addressSpace !== "" && { addressSpace }),
    ...(coolingSeconds !== undefined && { coolingSeconds }),
  };
}

function rangeOf(
  { subnet, rangeStart, rangeEnd, gateway, exclude }: IpRange,
  path: string,
): RangeDeclaration {
  if (subnet === "")
    throw configurationError(`${path}.subnet`, "a range names no subnet", 'give each range a "subnet"');
  return {
    subnet,
    ...(rangeStart !== "" && { rangeStart }),
    ...(rangeEnd !== "" && { rangeEnd }),
    ...(gateway !== "" && { gateway }),
    ...(exclude.length > 0 && { exclude }),
  };
}
