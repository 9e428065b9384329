/**
 * What becomes of a packet in a base chain of somebody else's, as far as that can be told without sending it. Pure.
 *
 * Rules are run as the kernel runs them, on registers some of which are unknown. A condition that cannot be told is "maybe": what
 * the rule would then do is remembered, and the next rule is looked at.
 *
 * Source: net/netfilter/nf_tables_core.c, nft_do_chain.
 */
import { u16be, u32 } from "../../../netlink/attribute.ts";
import { ifnameKey } from "../../../netlink/nftables/datatype.ts";
import { NFT_CMP_EQ, NFT_CMP_NEQ } from "../../../netlink/nftables/expr/cmp.ts";
import { NF_CT_STATE_UNTRACKED, NFT_CT_STATE, NFT_CT_STATUS } from "../../../netlink/nftables/expr/ct.ts";
import {
  NF_ACCEPT,
  NF_DROP,
  NFT_GOTO,
  NFT_JUMP,
  NFT_REG_VERDICT,
  NFT_REG32_00,
  NFT_RETURN,
  type Verdict,
} from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { NFT_LOOKUP_F_INV } from "../../../netlink/nftables/expr/lookup.ts";
import {
  NFT_META_IIF,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_MARK,
  NFT_META_NFPROTO,
  NFT_META_OIF,
  NFT_META_OIFNAME,
} from "../../../netlink/nftables/expr/meta.ts";
import {
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
} from "../../../netlink/nftables/expr/payload.ts";
import {
  conntrackStates,
  XT_CONNTRACK_STATE_DNAT,
  XT_CONNTRACK_STATE_UNTRACKED,
} from "../../../netlink/nftables/expr/xtables.ts";

/** A packet as far as it is known. Undefined: it may be anything. */
export interface ProbePacket {
  /** NFPROTO_IPV4 or NFPROTO_IPV6. */
  readonly family: number;
  readonly iifname?: string;
  readonly oifname?: string;
  /** IPPROTO_*. */
  readonly protocol?: number;
  readonly destinationPort?: number;
  /** First byte of an ICMPv6 message. */
  readonly icmpType?: number;
  /** NF_CT_STATE_*. */
  readonly ctState: number;
  /** IPS_*. */
  readonly ctStatus: number;
}

/** The elements of a set, keys in hexadecimal; null: it cannot be told what is in it (intervals, time limits). */
export type SetContent = ReadonlyMap<string, Verdict | null> | null;

/** The rules around a chain. */
export interface Ruleset {
  rulesOf(chain: string): readonly (readonly Expression[])[];
  setOf(name: string): SetContent;
}

export type Outcome = "accepts" | "drops" | "may drop";

type Tri = "yes" | "no" | "maybe";
type End = "accept" | "drop" | "through";

/** Deeper than the kernel allows jumps to go. */
const MOST_JUMPS = 16;
/** An ifindex that no link has. */
const NO_LINK = 0;

/** @param policy NF_ACCEPT or NF_DROP, of the base chain. */
export function outcomeOf(
  ruleset: Ruleset,
  { chain, policy }: { readonly chain: string; readonly policy: number },
  packet: ProbePacket,
): Outcome {
  const walk = new Walk(ruleset, packet);
  const end = walk.run(chain, 0);
  const isDropped = end === "drop" || (end === "through" && policy === NF_DROP);
  if (!isDropped) return "accepts";
  return walk.mayAccept ? "may drop" : "drops";
}

class Walk {
  readonly #ruleset: Ruleset;
  readonly #packet: ProbePacket;
  /** Some rule may have accepted it before it was dropped. */
  mayAccept = false;

  constructor(ruleset: Ruleset, packet: ProbePacket) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  run(chain: string, depth: number): End {
    if (depth > MOST_JUMPS) return "through";
    for (const expressions of this.#ruleset.rulesOf(chain)) {
      const { matches, verdict } = new RuleRun(this.#ruleset, this.#packet).run(expressions);
      if (matches === "no" || verdict === null) continue;
      const end = this.#follow(verdict, depth);
      if (end === "return") {
        if (matches === "yes") return "through";
      } else if (matches === "maybe") {
        if (end === "accept") this.mayAccept = true;
      } else if (end !== "through") return end;
      else if (verdict.code === NFT_GOTO) return "through";
    }
    return "through";
  }

  #follow({ code, chain }: Verdict, depth: number): End | "return" {
    if (code === NFT_RETURN) return "return";
    if (code === NFT_JUMP || code === NFT_GOTO) return this.run(chain ?? "", depth + 1);
    if (code === undefined) return "through";
    if ((code & 0xff) === NF_DROP) return "drop";
    // Of what queues packets it cannot be told what it does with them.
    return code === NF_ACCEPT ? "accept" : "through";
  }
}

/** One rule: what is in its registers, and what it comes to. */
class RuleRun {
  readonly #ruleset: Ruleset;
  readonly #packet: ProbePacket;
  readonly #registers = new Map<number, Uint8Array | null>();
  #matches: Tri = "yes";
  #verdict: Verdict | null = null;

  constructor(ruleset: Ruleset, packet: ProbePacket) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  run(expressions: readonly Expression[]): { readonly matches: Tri; readonly verdict: Verdict | null } {
    for (const expression of expressions) {
      this.#step(expression);
      if (this.#matches === "no" || this.#verdict !== null) break;
    }
    return { matches: this.#matches, verdict: this.#verdict };
  }

  #step(expression: Expression): void {
    switch (expression.name) {
      case "meta":
        this.#load(expression.data?.dreg, this.#metaOf(expression.data?.key));
        break;
      case "ct":
        this.#load(expression.data?.dreg, this.#ctOf(expression.data?.key));
        break;
      case "payload":
        this.#load(expression.data?.dreg, this.#payloadOf(expression.data ?? {}));
        break;
      case "bitwise":
        this.#mask(expression.data ?? {});
        break;
      case "cmp":
        this.#compare(expression.data ?? {});
        break;
      case "lookup":
        this.#lookUp(expression.data ?? {});
        break;
      case "immediate":
        this.#immediate(expression.data ?? {});
        break;
      case "reject":
        this.#verdict = { code: NF_DROP };
        break;
      case "match":
        this.#and(this.#matchOf(expression.data ?? {}));
        break;
      case "target":
        this.#target(expression.data?.name ?? "");
        break;
      case "counter":
      case "log":
        break;
      default:
        this.#unknown(expression);
    }
  }

  #load(register: number | undefined, value: Uint8Array | null): void {
    if (register !== undefined) this.#registers.set(slotOf(register), value);
  }

  #read(register = 0): Uint8Array | null {
    return this.#registers.get(slotOf(register)) ?? null;
  }

  #and(condition: Tri): void {
    if (condition === "no") this.#matches = "no";
    else if (condition === "maybe") this.#matches = "maybe";
  }

  #metaOf(key: number | undefined): Uint8Array | null {
    const { family, iifname, oifname, protocol } = this.#packet;
    if (key === NFT_META_NFPROTO) return Uint8Array.of(family);
    if (key === NFT_META_L4PROTO) return protocol === undefined ? null : Uint8Array.of(protocol);
    if (key === NFT_META_IIFNAME) return iifname === undefined ? null : ifnameKey(iifname);
    if (key === NFT_META_OIFNAME) return oifname === undefined ? null : ifnameKey(oifname);
    // By number it is none that a rule names: neither the loopback, nor a link of somebody else's.
    if (key === NFT_META_IIF) return iifname === undefined ? null : u32.encode(NO_LINK);
    if (key === NFT_META_OIF) return oifname === undefined ? null : u32.encode(NO_LINK);
    return key === NFT_META_MARK ? u32.encode(0) : null;
  }

  #ctOf(key: number | undefined): Uint8Array | null {
    if (key === NFT_CT_STATE) return u32.encode(this.#packet.ctState);
    return key === NFT_CT_STATUS ? u32.encode(this.#packet.ctStatus) : null;
  }

  #payloadOf({
    base,
    offset,
    length,
  }: Extract<Expression, { name: "payload" }>["data"] & object): Uint8Array | null {
    const { destinationPort, icmpType, protocol } = this.#packet;
    if (base === NFT_PAYLOAD_NETWORK_HEADER && offset === 9 && length === 1)
      return protocol === undefined ? null : Uint8Array.of(protocol);
    if (base !== NFT_PAYLOAD_TRANSPORT_HEADER) return null;
    if (offset === 2 && length === 2 && destinationPort !== undefined) return u16be.encode(destinationPort);
    return offset === 0 && length === 1 && icmpType !== undefined ? Uint8Array.of(icmpType) : null;
  }

  #mask({ sreg, dreg, mask, xor, op = 0 }: Extract<Expression, { name: "bitwise" }>["data"] & object): void {
    const value = this.#read(sreg);
    const [and, exclusive] = [mask?.value, xor?.value];
    const isPlain = value !== null && and !== undefined && exclusive !== undefined && op === 0;
    this.#load(
      dreg,
      isPlain ? value.map((byte, at) => (byte & (and[at] ?? 0)) ^ (exclusive[at] ?? 0)) : null,
    );
  }

  #compare({ sreg, op, data }: Extract<Expression, { name: "cmp" }>["data"] & object): void {
    const [value, wanted] = [this.#read(sreg), data?.value];
    if (value === null || wanted === undefined || (op !== NFT_CMP_EQ && op !== NFT_CMP_NEQ))
      this.#and("maybe");
    else this.#and(wanted.every((byte, at) => value[at] === byte) === (op === NFT_CMP_EQ) ? "yes" : "no");
  }

  #lookUp({
    set = "",
    sreg,
    dreg,
    flags = 0,
  }: Extract<Expression, { name: "lookup" }>["data"] & object): void {
    const [content, key] = [this.#ruleset.setOf(set), this.#read(sreg)];
    const isMap = dreg !== undefined;
    const text = key === null ? "" : hex(key);
    // A key of several fields is spread over registers that are not looked at together.
    const isKnown =
      content !== null && key !== null && [...content.keys()].every((one) => one.length === text.length);
    if (!isKnown || (isMap && dreg !== NFT_REG_VERDICT)) {
      this.#guess(content, isMap);
      return;
    }
    const isFound = content.has(text);
    if (isMap && isFound) this.#verdict = content.get(text) ?? null;
    this.#and(isFound === ((flags & NFT_LOOKUP_F_INV) === 0) ? "yes" : "no");
  }

  /** It may be in there. Of a verdict map that accepts something, acceptance is what may be. */
  #guess(content: SetContent, isMap: boolean): void {
    this.#and("maybe");
    if (!isMap) return;
    const verdicts = [...(content ?? new Map<string, Verdict | null>()).values()];
    this.#verdict = verdicts.find((verdict) => verdict?.code === NF_ACCEPT) ??
      verdicts[0] ?? { code: NF_ACCEPT };
  }

  #immediate({ dreg, data }: Extract<Expression, { name: "immediate" }>["data"] & object): void {
    if (dreg === NFT_REG_VERDICT) this.#verdict = data?.verdict ?? null;
    else this.#load(dreg, data?.value ?? null);
  }

  #matchOf({ name, info }: Extract<Expression, { name: "match" }>["data"] & object): Tri {
    if (name === "comment") return "yes";
    if (name === "icmp6") return isIcmpType(info, this.#packet.icmpType) ? "yes" : "no";
    const states = name === "conntrack" && info !== undefined ? conntrackStates(info) : null;
    if (states === null) return "maybe";
    const { ctState, ctStatus } = this.#packet;
    const state = ctState === NF_CT_STATE_UNTRACKED ? XT_CONNTRACK_STATE_UNTRACKED : ctState;
    const own = state | (ctStatus === 0 ? 0 : XT_CONNTRACK_STATE_DNAT);
    return (states & own) === 0 ? "no" : "yes";
  }

  #target(name: string): void {
    if (name === "REJECT") this.#verdict = { code: NF_DROP };
  }

  /** Something that this does not know: it may end the rule, and whatever it loads is unknown. */
  #unknown({ data }: Expression): void {
    const { dreg } = (data ?? {}) as { readonly dreg?: number };
    if (dreg === undefined) this.#and("maybe");
    else this.#load(dreg, null);
  }
}

/** Registers of 16 bytes and of 4 share one bank. */
function slotOf(register: number): number {
  return register >= NFT_REG32_00 ? register - NFT_REG32_00 : (register - 1) * 4;
}

/** Whether a `match` of ICMPv6 is for the type, and for all of its codes. Source: struct ip6t_icmp. */
function isIcmpType(info: Uint8Array | undefined, icmpType: number | undefined): boolean {
  const [type, firstCode, lastCode, inverted] = info ?? [];
  return icmpType !== undefined && type === icmpType && firstCode === 0 && lastCode === 255 && inverted === 0;
}

/** How keys of sets are written in {@link SetContent}. */
export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
