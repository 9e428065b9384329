/**
 * Rules of the routing policy: what `ip rule` shows and changes.
 *
 * Source: include/uapi/linux/fib_rules.h; net/core/fib_rules.c.
 */
import type { Family } from "../../addr/address.ts";
import { formatPrefix, type Prefix } from "../../addr/prefix.ts";
import {
  attribute,
  attributeTable,
  i32,
  ipAddress,
  pad,
  struct,
  u8,
  u16,
  u32,
  u32be,
  u64be,
  type ValueOf,
  zstring,
} from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import { type CreateMode, createFlags, type NetlinkRequest, type RequestVerb } from "../request.ts";
import { AF_UNSPEC, addressFamily, RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from "./family.ts";

/** Values of `action`: look a table up, jump, or end the search. */
export const FR_ACT_TO_TBL = 1;
export const FR_ACT_GOTO = 2;
export const FR_ACT_NOP = 3;
export const FR_ACT_BLACKHOLE = 6;

/** The rule is for what does not match. */
export const FIB_RULE_INVERT = 0x2;

const ruleHeader = struct("fib_rule_hdr", {
  family: u8,
  destinationLength: u8,
  sourceLength: u8,
  tos: u8,
  /** Lower 8 bits; `table` has all. */
  headerTable: u8,
  _reserved1: pad(1),
  _reserved2: pad(1),
  action: u8,
  flags: u32,
});

const uidRange = struct("fib_rule_uid_range", { first: u32, last: u32 });
/** Ports in host order, unlike anywhere else. */
const portRange = struct("fib_rule_port_range", { first: u16, last: u16 });

const ruleTable = attributeTable("rule", () => ({
  destination: attribute("FRA_DST", 1, ipAddress),
  source: attribute("FRA_SRC", 2, ipAddress),
  inputIfname: attribute("FRA_IIFNAME", 3, zstring),
  goto: attribute("FRA_GOTO", 4, u32),
  /** The lowest is tried first. */
  priority: attribute("FRA_PRIORITY", 6, u32),
  mark: attribute("FRA_FWMARK", 10, u32),
  flow: attribute("FRA_FLOW", 11, u32),
  tunnelId: attribute("FRA_TUN_ID", 12, u64be),
  /** Refuses a route by a link of this group; -1 for none. */
  suppressGroup: attribute("FRA_SUPPRESS_IFGROUP", 13, i32),
  /** Refuses a route whose prefix is this long or shorter; -1 for none. */
  suppressPrefixLength: attribute("FRA_SUPPRESS_PREFIXLEN", 14, i32),
  table: attribute("FRA_TABLE", 15, u32),
  /** Bits of the mark that count. Default: all. */
  markMask: attribute("FRA_FWMASK", 16, u32),
  outputIfname: attribute("FRA_OIFNAME", 17, zstring),
  l3mdev: attribute("FRA_L3MDEV", 19, u8),
  uidRange: attribute("FRA_UID_RANGE", 20, uidRange),
  protocol: attribute("FRA_PROTOCOL", 21, u8),
  ipProtocol: attribute("FRA_IP_PROTO", 22, u8),
  sourcePorts: attribute("FRA_SPORT_RANGE", 23, portRange),
  destinationPorts: attribute("FRA_DPORT_RANGE", 24, portRange),
  dscp: attribute("FRA_DSCP", 25, u8),
  flowLabel: attribute("FRA_FLOWLABEL", 26, u32be),
  flowLabelMask: attribute("FRA_FLOWLABEL_MASK", 27, u32be),
  sourcePortMask: attribute("FRA_SPORT_MASK", 28, u16),
  destinationPortMask: attribute("FRA_DPORT_MASK", 29, u16),
  dscpMask: attribute("FRA_DSCP_MASK", 30, u8),
}));

export const ruleMessage = familyMessage(ruleHeader, ruleTable);

/** A rule as the kernel tells it. */
export type Rule = ValueOf<typeof ruleMessage>;

/** A rule to make or delete. */
export interface RuleRequest {
  readonly family: Family;
  readonly priority: number;
  readonly from?: Prefix;
  readonly to?: Prefix;
  readonly inputIfname?: string;
  readonly outputIfname?: string;
  readonly mark?: number;
  readonly markMask?: number;
  /** Table to look up. */
  readonly table?: number;
  /** FR_ACT_*. Default: to the table. */
  readonly action?: number;
  readonly invert?: boolean;
  readonly suppressPrefixLength?: number;
  readonly ipProtocol?: number;
  readonly sourcePorts?: ValueOf<typeof portRange>;
  readonly destinationPorts?: ValueOf<typeof portRange>;
  /** RTPROT_*: who made it. */
  readonly protocol?: number;
}

/** Makes a rule. EEXIST in mode "create" when the very same is there; other modes add it a second time. */
export function newRule(
  rule: RuleRequest,
  mode: Extract<CreateMode, "create" | "append"> = "create",
): NetlinkRequest {
  return ruleRequest({ type: RTM_NEWRULE, flags: createFlags(mode), operation: "add rule" }, rule);
}

/** Deletes the first rule that has everything given; ENOENT when there is none. */
export function deleteRule(rule: RuleRequest): NetlinkRequest {
  return ruleRequest({ type: RTM_DELRULE, flags: 0, operation: "delete rule" }, rule);
}

function ruleRequest({ type, flags, operation }: RequestVerb, rule: RuleRequest): NetlinkRequest {
  return {
    type,
    flags,
    payload: ruleMessage.encode(toRule(rule)),
    operation,
    object: ruleText(rule),
  };
}

function toRule(rule: RuleRequest): Parameters<typeof ruleMessage.encode>[0] {
  const { family, from, to, table = 0, action = FR_ACT_TO_TBL, invert, ...same } = rule;
  return {
    ...same,
    family: addressFamily(family),
    destinationLength: to?.length ?? 0,
    sourceLength: from?.length ?? 0,
    headerTable: table > 255 ? 0 : table,
    action,
    flags: invert ? FIB_RULE_INVERT : 0,
    destination: to?.address,
    source: from?.address,
    table: table > 255 ? table : undefined,
  };
}

function ruleText({ priority, from, to, table }: RuleRequest): string {
  const words = [`${priority}`];
  if (from) words.push(`from ${formatPrefix(from)}`);
  if (to) words.push(`to ${formatPrefix(to)}`);
  if (table !== undefined) words.push(`to table ${table}`);
  return words.join(" ");
}

/** Lists rules, for `dump`. */
export function getRules(family?: Family): NetlinkRequest<Rule> {
  const number = family === undefined ? AF_UNSPEC : addressFamily(family);
  return {
    type: RTM_GETRULE,
    flags: 0,
    payload: ruleMessage.encode({ family: number }),
    operation: "list rules",
    object: "",
    decodeReply: ({ payload }) => ruleMessage.decode(payload),
    accepts: (rule) => number === AF_UNSPEC || rule.family === number,
  };
}
