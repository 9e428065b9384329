/**
 * The configuration of `fairlead-bridge`: the keys of the reference plugin `bridge`, with their defaults, those of our own,
 * and the rules between them.
 *
 * Source: README of the reference plugin, section "Network configuration reference".
 */
import { type Address, tryParseAddress } from "../../../lib/addr/address.ts";
import { ifnameProblem } from "../../../lib/addr/ifname.ts";
import { configurationError } from "../../../lib/cni/config.ts";
import {
  type Complain,
  checkedText,
  fieldValue,
  flag,
  integer,
  list,
  object,
  optionalFlag,
  optionalInteger,
  type Read,
  readFields,
  readLeniently,
  TOP,
  text,
} from "../../../lib/cni/fields.ts";
import type { JsonObject } from "../../../lib/cni/json.ts";
import { RUNTIME_CONFIG_FIELDS } from "../../../lib/cni/sections.ts";
import {
  type AttachmentConfig,
  type Configuration,
  readAttachmentConfig,
} from "../../configuration/attachment.ts";
import { HOST_BINDING, type Mapping, readMappings } from "../../configuration/port-mappings.ts";

const VLAN_MAX = 4094;
const MTU_MAX = 65535;

const bridgeName = (absent: string) => checkedText("an interface name", ifnameProblem, absent);
const DEFAULT_BRIDGE = "cni0";

const BRIDGE_FIELDS = {
  bridge: bridgeName(DEFAULT_BRIDGE),
  isGateway: flag(),
  isDefaultGateway: flag(),
  forceAddress: flag(),
  ipMasq: flag(),
  /** Accepted for the sake of existing conflists; masquerading is nftables either way. */
  ipMasqBackend: text(),
  mtu: integer({ max: MTU_MAX }),
  hairpinMode: flag(),
  promiscMode: flag(),
  vlan: integer({ max: VLAN_MAX }),
  vlanTrunk: list(object({ minID: optionalInteger(), maxID: optionalInteger(), id: optionalInteger() })),
  preserveDefaultVlan: flag(),
  macspoofchk: flag(),
  enabledad: flag(),
  disableContainerInterface: flag(),
  portIsolation: flag(),
  /** Ours: the network is kept apart from all other isolated networks of the host. */
  isolation: flag(),
  /** Ours, with `isolation`: hosts outside reach containers by a route, and not by published ports alone. */
  directRouting4: flag(true),
  directRouting6: flag(true),
  /** Ours: nothing is forwarded onto or off the bridge. Implies `isolation`. */
  internal: flag(),
  /** Ours: the container takes addresses and routes from router advertisements. Default: unless the bridge is its gateway. */
  routerAdvertisements: optionalFlag(),
  /** Ours: the container sends from its own MAC address and the addresses that IPAM gave, or not at all. */
  sourceCheck: flag(),
  /** Ours: the bridge's network is asked whether somebody has the addresses already. */
  probe: flag(),
  /** Ours: the ports of `runtimeConfig.portMappings` are published here, and not by a plugin behind this one. */
  publishPorts: flag(),
  /** Of `publishPorts`; as in `fairlead-portmap`. */
  hostBinding: HOST_BINDING,
  snat: flag(true),
};

/** A run of VLAN IDs, inclusive on both ends. */
interface VlanRange {
  readonly first: number;
  readonly last: number;
}

type Overridden = "vlanTrunk" | "mtu" | "hostBinding" | "routerAdvertisements";

export interface BridgeConfig extends Omit<Read<typeof BRIDGE_FIELDS>, Overridden> {
  /** Bytes; undefined: what the kernel gives. */
  readonly mtu: number | undefined;
  readonly vlanTrunk: readonly VlanRange[];
  readonly routerAdvertisements: boolean;
  /** Null: every address of the host. */
  readonly hostBinding: Address | null;
}

/** All that an attachment goes by. */
export interface BridgeReading {
  /** The bridge's own keys. */
  readonly config: BridgeConfig;
  readonly shared: AttachmentConfig;
  /** The ports that this plugin is to publish; none where the network leaves that to others. */
  readonly mappings: readonly Mapping[];
}

/** Of `runtimeConfig`, for who publishes; others need not understand them. */
const PORT_FIELDS = { runtimeConfig: object({ portMappings: RUNTIME_CONFIG_FIELDS.portMappings }) };

/**
 * Reads and checks the configuration from stdin, whole: the one place where an ADD does.
 *
 * @throws FairleadError invalid-config, naming key, value and rule; unsupported-field.
 */
export function readBridge(configuration: Configuration): BridgeReading {
  const { raw } = configuration;
  const shared = readAttachmentConfig(configuration);
  const config = bridgeConfigOf(readFields(BRIDGE_FIELDS, raw));
  if (!config.publishPorts) return { config, shared, mappings: [] };
  const { portMappings } = readFields(PORT_FIELDS, raw).runtimeConfig;
  return { config, shared, mappings: readMappings(portMappings, config.hostBinding) };
}

function bridgeConfigOf(read: Read<typeof BRIDGE_FIELDS>): BridgeConfig {
  if (read.hairpinMode && read.promiscMode) {
    throw configurationError(
      "hairpinMode",
      "cannot set hairpin mode and promiscuous mode at the same time",
      "drop one of the two",
    );
  }
  const isGateway = read.isGateway || read.isDefaultGateway;
  return {
    ...read,
    isGateway,
    // A bridge that is not the gateway is part of somebody's network, whose routers are that network's business.
    routerAdvertisements: read.routerAdvertisements ?? !isGateway,
    isolation: read.isolation || read.internal,
    mtu: read.mtu || undefined,
    vlanTrunk: read.vlanTrunk.flatMap(vlanRanges),
    hostBinding: tryParseAddress(read.hostBinding),
  };
}

/** What of the configuration DEL and GC look at. */
export interface RemovalKeys {
  /** Null: the configuration does not say, in a way that could be read. */
  readonly bridge: string | null;
  /** True when it asks for published ports or source checks. */
  readonly wantsRules: boolean;
}

const REMOVAL_FIELDS = { bridge: bridgeName(""), macspoofchk: flag(), publishPorts: flag() };

/** Reads them one by one, past what is wrong; `complain` hears of it. Never throws. */
export function readRemovalKeys(raw: JsonObject, complain: Complain): RemovalKeys {
  const place = { ...TOP, complain };
  const { bridge, macspoofchk, publishPorts } = readLeniently(REMOVAL_FIELDS, raw, place);
  const name = fieldValue(raw, "bridge") === undefined ? DEFAULT_BRIDGE : bridge;
  return { bridge: name === "" ? null : name, wantsRules: macspoofchk || publishPorts };
}

/** True when any VLAN key asks for a bridge that filters by VLAN. */
export function wantsVlans(config: BridgeConfig): boolean {
  return config.vlan > 0 || config.vlanTrunk.length > 0;
}

interface TrunkEntry {
  readonly minID: number | undefined;
  readonly maxID: number | undefined;
  readonly id: number | undefined;
}

/** The union of `id` and `minID`–`maxID`, as the reference reads an entry that gives both. */
function vlanRanges(entry: TrunkEntry, index: number): VlanRange[] {
  const key = `vlanTrunk[${index}]`;
  requireVlanIds(entry, key);
  const { minID, maxID, id } = entry;
  const single = id === undefined ? [] : [{ first: id, last: id }];
  if (minID === undefined && maxID === undefined) {
    if (id === undefined) throw configurationError(key, "it names no VLAN", "give id, or minID and maxID");
    return single;
  }
  if (minID === undefined || maxID === undefined)
    throw configurationError(key, "minID and maxID go together", "give both");
  if (maxID < minID) throw configurationError(key, `minID ${minID} is above maxID ${maxID}`, "swap them");
  return [{ first: minID, last: maxID }, ...single];
}

function requireVlanIds(entry: TrunkEntry, key: string): void {
  for (const [name, value] of Object.entries(entry)) {
    if (value !== undefined && (value < 1 || value > VLAN_MAX)) {
      throw configurationError(`${key}.${name}`, `${value} is no VLAN ID`, `use 1 to ${VLAN_MAX}`);
    }
  }
}
