/**
 * The keys of the macvlan section.
 *
 * Source: README of the reference plugin macvlan.
 */
import { ifnameProblem } from "../../../lib/addr/ifname.ts";
import {
  type Complain,
  checkedText,
  fieldValue,
  flag,
  integer,
  oneOf,
  type Read,
  readFields,
  readLeniently,
  TOP,
  text,
} from "../../../lib/cni/fields.ts";
import type { JsonObject } from "../../../lib/cni/json.ts";
import { MACVLAN_MODES, type MacvlanMode } from "../../../lib/host/macvlan.ts";
import {
  type AttachmentConfig,
  type Configuration,
  readAttachmentConfig,
} from "../../configuration/attachment.ts";

const MTU_MAX = 65535;
const U32_MAX = 0xffff_ffff;

/** Empty text counts as absent, as in the reference. */
const masterProblem = (name: string): string | null => (name === "" ? null : ifnameProblem(name));

const MACVLAN_FIELDS = {
  /** Name of the link below; empty: that of the default route. */
  master: checkedText("an interface name", masterProblem),
  mode: oneOf(Object.keys(MACVLAN_MODES) as MacvlanMode[], "bridge"),
  mtu: integer({ max: MTU_MAX }),
  mac: text(),
  /** The link below is in the container, not on the host. */
  linkInContainer: flag(),
  bcqueuelen: integer({ max: U32_MAX }),
  /** Ours: adds a default route through the gateway that IPAM names, where it gave no such route. */
  isDefaultGateway: flag(),
  /** Ours: the container takes addresses and routes from router advertisements on the master's network. */
  routerAdvertisements: flag(true),
  /** Ours: the master's network is asked whether somebody has the addresses already. */
  probe: flag(),
};

/** What of the configuration DEL looks at. */
export interface RemovalKeys {
  /** As {@link MacvlanConfig} has it; null: it cannot be read. */
  readonly master: string | null;
  readonly linkInContainer: boolean;
}

const UNREADABLE = "\0";
const REMOVAL_FIELDS = {
  master: checkedText("an interface name", masterProblem, UNREADABLE),
  linkInContainer: flag(),
};

/** Reads them one by one, past what is wrong; `complain` hears of it. Never throws. */
export function readRemovalKeys(raw: JsonObject, complain: Complain): RemovalKeys {
  const { master, linkInContainer } = readLeniently(REMOVAL_FIELDS, raw, { ...TOP, complain });
  const isAbsent = fieldValue(raw, "master") === undefined;
  return { master: isAbsent ? "" : master === UNREADABLE ? null : master, linkInContainer };
}

export interface MacvlanConfig extends Omit<Read<typeof MACVLAN_FIELDS>, "mtu" | "bcqueuelen"> {
  /** Bytes; undefined: the master's. */
  readonly mtu: number | undefined;
  /** Frames; undefined: the kernel's 1000. */
  readonly broadcastQueueLength: number | undefined;
}

/** All that an attachment goes by. */
export interface MacvlanReading {
  /** The plugin's own keys. */
  readonly config: MacvlanConfig;
  readonly shared: AttachmentConfig;
}

/**
 * Reads and checks the configuration from stdin, whole: the one place where an ADD does.
 *
 * @throws FairleadError invalid-config, naming key, value and rule.
 */
export function readMacvlan(configuration: Configuration): MacvlanReading {
  const { mtu, bcqueuelen, ...read } = readFields(MACVLAN_FIELDS, configuration.raw);
  const config = { ...read, mtu: mtu || undefined, broadcastQueueLength: bcqueuelen || undefined };
  return { config, shared: readAttachmentConfig(configuration) };
}
