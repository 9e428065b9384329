/**
 * Results: one internal form, and its way in from and out to every version.
 *
 * The internal form is that of 1.1.0. Going down loses what the older version cannot hold: interface details
 * before 1.0.0; interfaces, further addresses of a family and route attributes before 0.3.0. Route attributes stay
 * from 0.3.0 on although only 1.1.0 specifies them, because CHECK compares the kernel with `prevResult`; the
 * reference does the same.
 *
 * Source: CNI SPEC 1.1.0 "Success" and the same section of each older version; pkg/types/{020,040,100} of the
 * reference library.
 */
import { tryParseAddress } from "../addr/address.ts";
import { parseInterfaceAddress } from "../addr/prefix.ts";
import { FairleadError } from "../errors.ts";
import {
  checkedText,
  type Field,
  integer,
  list,
  object,
  optionalInteger,
  optionalObject,
  type Read,
  readFields,
  text,
} from "./fields.ts";
import { faultOf, type JsonObject, type Reading } from "./json.ts";
import { type CniVersion, hasInterfaceDetails, hasInterfaces, hasIpVersionField } from "./versions.ts";

/** A link that an attachment consists of. */
export interface ResultInterface {
  readonly name: string;
  readonly mac?: string;
  /** Bytes. */
  readonly mtu?: number;
  /** Path of the netns that the link is in; absent for the host netns. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface ResultIp {
  /** With the prefix length: `10.1.2.3/24`. */
  readonly address: string;
  readonly gateway?: string;
  /** 0-based place in `interfaces`; absent in the result of an IPAM plugin. */
  readonly interface?: number;
}

export interface ResultRoute {
  /** Prefix; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly dst: string;
  readonly gw?: string;
  /** Bytes. */
  readonly mtu?: number;
  /** Bytes. */
  readonly advmss?: number;
  /** Route metric. */
  readonly priority?: number;
  /** Routing table; absent means main, 0 means 0. */
  readonly table?: number;
  /** rtnetlink scope number: 0 global, 253 link, 254 host; absent means what the kernel chooses. */
  readonly scope?: number;
}

export interface ResultDns {
  readonly nameservers: readonly string[];
  readonly domain: string;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface Result {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: ResultDns;
}

export const EMPTY_DNS: ResultDns = { nameservers: [], domain: "", search: [], options: [] };

export const EMPTY_RESULT: Result = { interfaces: [], ips: [], routes: [], dns: EMPTY_DNS };

/** True when any member says something: then a configuration's `dns` replaces that of its IPAM plugin. */
export function hasDns({ nameservers, domain, search, options }: ResultDns): boolean {
  return nameservers.length > 0 || domain !== "" || search.length > 0 || options.length > 0;
}

/** The address family of an address or prefix in text form that was validated before. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

// ---- tables

function problemOf(parse: () => unknown): string | null {
  try {
    parse();
    return null;
  } catch (thrown) {
    return thrown instanceof FairleadError ? thrown.reason : String(thrown);
  }
}

/** Address with a prefix length; host bits are welcome, as the reference keeps them also in route prefixes. */
const addressWithLength = checkedText("an address with a prefix length like 10.1.2.3/24", (value) =>
  problemOf(() => parseInterfaceAddress(value)),
);

/** Address without a prefix length. Empty text counts as absent: Go prints an unset address so. */
const optionalAddress = checkedText("an address like 10.1.2.3", (value) =>
  value === "" || tryParseAddress(value) !== null ? null : "it is not an IP address",
);

const U32 = 0xffff_ffff;

/** Table of one route of a result, a plugin's `routes` key or an IPAM section. */
export const ROUTE_FIELDS = {
  dst: addressWithLength,
  gw: optionalAddress,
  mtu: integer({ max: U32 }),
  advmss: integer({ max: U32 }),
  priority: integer({ max: U32 }),
  table: optionalInteger({ max: U32 }),
  scope: optionalInteger({ max: 255 }),
};

/** Table of a `dns` object. */
const DNS_FIELDS = {
  nameservers: list(text()),
  domain: text(),
  search: list(text()),
  options: list(text()),
};

/** A `dns` object inside a larger table. */
export const dnsField: Field<ResultDns> = object(DNS_FIELDS);

const RESULT_FIELDS = {
  interfaces: list(
    object({
      name: text(),
      mac: text(),
      mtu: integer(),
      sandbox: text(),
      socketPath: text(),
      pciID: text(),
    }),
  ),
  ips: list(object({ address: addressWithLength, gateway: optionalAddress, interface: optionalInteger() })),
  routes: list(object(ROUTE_FIELDS)),
  dns: dnsField,
};

const OLD_FAMILY = { ip: addressWithLength, gateway: optionalAddress, routes: list(object(ROUTE_FIELDS)) };

/** Before 0.3.0. */
const OLD_RESULT_FIELDS = {
  ip4: optionalObject(OLD_FAMILY),
  ip6: optionalObject(OLD_FAMILY),
  dns: dnsField,
};

// ---- reading

/**
 * Drops members that are undefined or `""`, and zeros among `zeroIsAbsent`: the way Go's `omitempty` writes
 * "not given".
 */
function given<T extends object>(value: T, zeroIsAbsent: readonly (keyof T)[] = []): GivenOf<T> {
  const kept = Object.entries(value).filter(
    ([key, member]) =>
      member !== undefined && member !== "" && !(member === 0 && zeroIsAbsent.includes(key as keyof T)),
  );
  return Object.fromEntries(kept) as GivenOf<T>;
}

type GivenOf<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> };

/** A route as read by {@link ROUTE_FIELDS}, without the members that say nothing. */
export function routeOf(read: Read<typeof ROUTE_FIELDS>): ResultRoute {
  return { ...given(read, ["mtu", "advmss", "priority"]), dst: read.dst };
}

/**
 * Reads a result in the shape of `version`.
 *
 * @throws FairleadError `reading.fault`, naming the key.
 */
export function parseResult(raw: JsonObject, version: CniVersion, reading: Reading): Result {
  return hasInterfaces(version) ? parseListed(raw, reading) : parseOld(raw, reading);
}

function parseListed(raw: JsonObject, reading: Reading): Result {
  const { interfaces, ips, routes, dns } = readFields(RESULT_FIELDS, raw, { path: "", reading });
  for (const [index, ip] of ips.entries()) requireAddress(ip.address, `ips[${index}].address`, reading);
  for (const [index, route] of routes.entries()) requireAddress(route.dst, `routes[${index}].dst`, reading);
  return {
    interfaces: interfaces.map((link) => ({ ...given(link, ["mtu"]), name: link.name })),
    ips: ips.map((ip) => ({ ...given(ip), address: ip.address })),
    routes: routes.map(routeOf),
    dns,
  };
}

function parseOld(raw: JsonObject, reading: Reading): Result {
  const { ip4, ip6, dns } = readFields(OLD_RESULT_FIELDS, raw, { path: "", reading });
  for (const [name, family] of Object.entries({ ip4, ip6 })) {
    if (family !== undefined) requireAddress(family.ip, `${name}.ip`, reading);
  }
  const families = [ip4, ip6].filter((family) => family !== undefined);
  return {
    interfaces: [],
    ips: families.map(({ ip, gateway }) => ({ ...given({ gateway }), address: ip })),
    routes: families.flatMap(({ routes }) => routes.map(routeOf)),
    dns,
  };
}

function requireAddress(value: string, path: string, reading: Reading): void {
  if (value === "") throw faultOf(reading, path, `it is missing, expected ${addressWithLength.expected}`);
}

// ---- writing

/**
 * Refuses a result that `version` cannot tell. Ask before making anything, and undo what was made when the answer
 * comes too late: a container must not hold an address that its runtime does not know.
 *
 * @throws FairleadError `invalid-config`
 */
export function requireRepresentable(ips: readonly { address: string }[], version: CniVersion): void {
  if (hasInterfaces(version)) return;
  const families = ips.map(({ address }) => familyOf(address));
  if (families.length === 0) {
    throw unrepresentable(
      version,
      "cannot convert: no valid IP addresses",
      "give the network an ipam section",
    );
  }
  if (new Set(families).size < families.length) {
    const reason = `CNI version ${version} does not support more than 1 address per family`;
    throw unrepresentable(version, reason, "drop the further ranges");
  }
}

function unrepresentable(version: CniVersion, reason: string, hint: string): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "print result in version",
    object: version,
    reason,
    hint: `${hint}, or set cniVersion to 0.3.0 or newer`,
  });
}

/**
 * The result as an object in the shape of `version`, ready for JSON. `cniVersion` is its first key.
 *
 * @throws FairleadError `invalid-config` as {@link requireRepresentable}
 */
export function formatResult(result: Result, version: CniVersion): JsonObject {
  requireRepresentable(result.ips, version);
  return hasInterfaces(version) ? formatListed(result, version) : formatOld(result, version);
}

function formatListed({ interfaces, ips, routes, dns }: Result, version: CniVersion): JsonObject {
  return {
    cniVersion: version,
    ...listed("interfaces", interfaces.map(hasInterfaceDetails(version) ? withDetails : withoutDetails)),
    ...listed("ips", ips.map(hasIpVersionField(version) ? withVersion : withoutVersion)),
    ...listed(
      "routes",
      routes.map((route) => given(route)),
    ),
    ...(hasIpVersionField(version) || hasDns(dns) ? { dns: formatDns(dns) } : {}),
  };
}

function listed(key: string, values: readonly object[]): JsonObject {
  return values.length === 0 ? {} : { [key]: values as readonly JsonObject[] };
}

function withDetails(link: ResultInterface): object {
  return { ...given(link), name: link.name };
}

function withoutDetails({ name, mac, sandbox }: ResultInterface): object {
  return { ...given({ mac, sandbox }), name };
}

function withVersion(ip: ResultIp): object {
  return { version: String(familyOf(ip.address)), ...given(ip) };
}

function withoutVersion(ip: ResultIp): object {
  return given(ip);
}

/** Only the members that say something. */
function formatDns({ nameservers, domain, search, options }: ResultDns): JsonObject {
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain !== "" && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  };
}

function formatOld({ ips, routes, dns }: Result, version: CniVersion): JsonObject {
  return {
    cniVersion: version,
    ...formatOldFamily(4, ips, routes),
    ...formatOldFamily(6, ips, routes),
    dns: formatDns(dns),
  };
}

function formatOldFamily(
  family: 4 | 6,
  ips: readonly ResultIp[],
  routes: readonly ResultRoute[],
): JsonObject {
  const ip = ips.find(({ address }) => familyOf(address) === family);
  if (ip === undefined) return {};
  const own = routes.filter(({ dst }) => familyOf(dst) === family).map(({ dst, gw }) => given({ dst, gw }));
  const shape = { ip: ip.address, ...given({ gateway: ip.gateway }), ...listed("routes", own) };
  return { [`ip${family}`]: shape as JsonObject };
}
