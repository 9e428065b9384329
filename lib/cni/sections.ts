/**
 * Reading rules for the keys that several plugins share: `ipam`, `dns`, `args`, `runtimeConfig`, and the list of
 * attachments that GC gets.
 *
 * Source: CNI SPEC 1.1.0 "Well-known" keys; CONVENTIONS.md "Dynamic Plugin specific Fields" and "args in network
 * config" of the CNI project.
 */
import { checkPluginType } from "./config.ts";
import {
  anything,
  type Field,
  integer,
  list,
  map,
  object,
  optionalInteger,
  type Read,
  readFields,
  text,
} from "./fields.ts";
import { isObject, type JsonObject } from "./json.ts";

/** What identifies an attachment on its network. */
export interface AttachmentId {
  readonly containerId: string;
  readonly ifname: string;
}

/** The `ipam` section: its type, and the whole for the IPAM plugin to read. Empty type: a layer 2 network. */
export interface IpamSection {
  readonly type: string;
  readonly raw: JsonObject;
}

export const IPAM_SECTION: Field<IpamSection> = {
  expected: "an object",
  absent: { type: "", raw: {} },
  read: (value, at) => {
    if (!isObject(value)) return undefined;
    const { type } = readFields({ type: text() }, value, at);
    checkPluginType(at.path === "" ? "type" : `${at.path}.type`, type);
    return { type, raw: value };
  },
};

const PORT_MAPPING = {
  /** 0: not published. */
  hostPort: integer({ max: 65535 }),
  containerPort: integer({ min: 1, max: 65535 }),
  protocol: text("tcp"),
  hostIP: text(),
  /** Ours, in podman's words: how many ports in a row, from both on. 0 and 1: the one. */
  range: integer({ max: 65535 }),
};

export type PortMapping = Read<typeof PORT_MAPPING>;

/** One range in the words of host-local. Empty text: not given. */
export const IP_RANGE = {
  subnet: text(),
  rangeStart: text(),
  rangeEnd: text(),
  gateway: text(),
  /** Ours, in the words of whereabouts: prefixes, ranges and addresses that are never handed out. */
  exclude: list(text()),
};

export type IpRange = Read<typeof IP_RANGE>;

/** Rates in bits per second, bursts in bits. 0: no limit. */
const BANDWIDTH = {
  ingressRate: integer(),
  ingressBurst: integer(),
  egressRate: integer(),
  egressBurst: integer(),
};

/** Names for an attachment: one list for every network, or (as podman sends it) one per network. */
export type Aliases = readonly string[] | Readonly<Record<string, readonly string[]>>;

const NAMES = list(text());
const NAMES_BY_NETWORK = map(NAMES);

const ALIASES: Field<Aliases> = {
  expected: "an array of names, or an object of such arrays by network",
  absent: [],
  read: (value, at) => (isObject(value) ? NAMES_BY_NETWORK.read(value, at) : NAMES.read(value, at)),
};

/** The names that apply on one network. */
export function aliasesOn(networkName: string, aliases: Aliases): readonly string[] {
  if (Array.isArray(aliases)) return aliases;
  const byNetwork = aliases as Readonly<Record<string, readonly string[]>>;
  return Object.hasOwn(byNetwork, networkName) ? (byNetwork[networkName] ?? []) : [];
}

/** What the runtime adds for the capabilities that concern the interface itself. */
const INTERFACE_RUNTIME_FIELDS = {
  /** Range sets: one address out of each. */
  ipRanges: list(list(object(IP_RANGE))),
  /** Requested addresses, with or without prefix length. */
  ips: list(text()),
  mac: text(),
  bandwidth: object(BANDWIDTH),
  dns: object({ servers: list(text()), searches: list(text()), options: list(text()) }),
  aliases: ALIASES,
  deviceID: text(),
  infinibandGUID: text(),
  cgroupPath: text(),
};

/** What the runtime adds for the capabilities that the configuration enables. Every key is optional. */
export const RUNTIME_CONFIG_FIELDS = {
  portMappings: list(object(PORT_MAPPING)),
  ...INTERFACE_RUNTIME_FIELDS,
};

export type RuntimeConfig = Read<typeof RUNTIME_CONFIG_FIELDS>;

/** Which of a container's networks has its default route: the highest. Undefined: nobody said. */
export const GATEWAY_PRIORITY = optionalInteger({ min: -(2 ** 31), max: 2 ** 31 - 1 });

/** `args.cni`, the metadata of orchestrators. Keys that we do not know mean nothing to us. */
const CNI_ARGS_FIELDS = {
  labels: list(object({ key: text(), value: text() })),
  /** Requested addresses, with or without prefix length. */
  ips: list(text()),
  mac: text(),
  /** Names under which the container wants to be found, its own name first. */
  names: list(text()),
  gatewayPriority: GATEWAY_PRIORITY,
};

export type CniArgsSection = Read<typeof CNI_ARGS_FIELDS>;

/** A row for a plugin's own table: `{ bridge: text("cni0"), runtimeConfig: RUNTIME_CONFIG }`. */
export const RUNTIME_CONFIG: Field<RuntimeConfig> = object(RUNTIME_CONFIG_FIELDS);

/** The same for those who only make the interface: whatever ports are asked for keeps none from being deleted. */
export const INTERFACE_RUNTIME_CONFIG: Field<Read<typeof INTERFACE_RUNTIME_FIELDS>> =
  object(INTERFACE_RUNTIME_FIELDS);

export const ARGS: Field<{ readonly cni: CniArgsSection }> = object({ cni: object(CNI_ARGS_FIELDS) });

const ATTACHMENT = { containerID: text(), ifname: text() };

/** The released name first, then the one in the text of the specification as tagged v1.1.0; runtimes send either. */
export const VALID_ATTACHMENT_KEYS = ["cni.dev/valid-attachments", "cni.dev/attachments"] as const;

const VALID_ATTACHMENT_FIELDS = {
  [VALID_ATTACHMENT_KEYS[0]]: anything,
  [VALID_ATTACHMENT_KEYS[1]]: anything,
};

/**
 * The attachments that GC must keep.
 *
 * @returns null when no list is given, which is not the same as an empty one: an empty list says that everything
 * is stale, an absent one says nothing, and GC must not act on it.
 * @throws FairleadError `invalid-config`
 */
export function readValidAttachments(raw: JsonObject): readonly AttachmentId[] | null {
  const present = readFields(VALID_ATTACHMENT_FIELDS, raw);
  const key = VALID_ATTACHMENT_KEYS.find((name) => present[name] !== null);
  if (key === undefined) return null;
  const read = readFields({ [key]: list(object(ATTACHMENT)) }, raw)[key] ?? [];
  return read.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
}
