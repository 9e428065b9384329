/** Networks, their pools, and how full they are. */
import type { NetworkDeclaration } from "./attachments.ts";

export interface NetworkStatusRequest {
  readonly networkName: string;
  readonly declaration?: NetworkDeclaration;
}

/** Who is where in one pool. The five counts add up to `size`. */
export interface PoolUsage {
  readonly pool: number;
  readonly family: 4 | 6;
  readonly subnets: readonly string[];
  /** Addresses that the ranges of the pool span. A decimal string: an IPv6 pool exceeds 2^53. */
  readonly size: string;
  readonly bound: number;
  readonly cooling: number;
  readonly quarantined: number;
  /** Reserved, excluded and gateway addresses inside the ranges. */
  readonly withheld: string;
  readonly free: string;
}

export interface NetworkStatus {
  readonly networkName: string;
  /** True when an acquire with no wishes would be served now. */
  readonly ready: boolean;
  /** Why not, in a sentence that names the pool and its counts; empty when ready. */
  readonly reason: string;
  readonly pools: readonly PoolUsage[];
}

export interface SubnetSpec {
  readonly subnet: string;
  /** Only addresses of this prefix are handed out unasked. Default: the whole subnet. */
  readonly ipRange?: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  /** Default: the first host of the subnet. `null`: no gateway. */
  readonly gateway?: string | null;
  /** Never handed out; name → address. */
  readonly auxAddresses?: Readonly<Record<string, string>>;
  /** Never handed out, inclusive on both ends: `10.1.0.10-10.1.0.19`, a prefix, or one address. */
  readonly exclusions?: readonly string[];
}

export interface CreateNetworkRequest {
  readonly name: string;
  /** Default: "bridge". */
  readonly driver?: string;
  /** Empty or absent: one IPv4 subnet (and with `ipv6` one IPv6 subnet) is leased from the default pools. */
  readonly subnets?: readonly SubnetSpec[];
  /**
   * True: also an IPv4 subnet out of the default pools, where no IPv4 subnet is named. False: none at all. Default: one where no
   * subnet is named.
   */
  readonly ipv4?: boolean;
  /** True: also an IPv6 subnet out of the default pools, where no IPv6 subnet is named. */
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  /** Recorded for tools that ask; every container may be attached whatever it says. Default: false. */
  readonly attachable?: boolean;
  readonly addressSpace?: string;
  readonly coolingSeconds?: number;
  /** Attachments that the network may hold at once. Default: no limit. */
  readonly maxAttachments?: number;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Prefixes and addresses that a subnet out of the default pools must not touch: what the host reaches by other
   * ways (its routes, its name servers). Default routes count for nothing. A subnet that the request names is not
   * held against them.
   */
  readonly avoid?: readonly string[];
}

export interface Subnet {
  readonly subnet: string;
  readonly gateway: string | null;
  /** True when whoever made the network named the gateway; false for the default one. */
  readonly gatewayGiven: boolean;
  /** The prefix that addresses are handed out of unasked, as it was given; null: the whole subnet. */
  readonly ipRange: string | null;
  /** Ranges that addresses are handed out from, `first-last`, inclusive. */
  readonly ranges: readonly string[];
  readonly exclusions: readonly string[];
  readonly auxAddresses: Readonly<Record<string, string>>;
  /** True when the subnet came from the default pools. */
  readonly fromDefaultPool: boolean;
}

export interface Pool {
  readonly pool: number;
  readonly family: 4 | 6;
  readonly subnets: readonly Subnet[];
}

export interface Network {
  /** 64 hexadecimal digits, random, never reused. */
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /**
   * "api": made by an admin. "conflist": declared by a node's configuration; removable when it is empty.
   * "predefined": `bridge`, `host` and `none`, which every server has and nobody can remove.
   */
  readonly origin: "api" | "conflist" | "predefined";
  readonly addressSpace: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  /** True when it has an IPv6 subnet. */
  readonly ipv6: boolean;
  readonly coolingSeconds: number;
  readonly maxAttachments: number | null;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty for a network that hands out no addresses: drivers `host` and `null`, `macvlan` without a subnet. */
  readonly pools: readonly Pool[];
  readonly attachments: number;
  readonly createdAt: string;
}

/** Names a network. */
export interface NetworkRef {
  /** A name, a full ID or an unambiguous prefix of an ID. */
  readonly name: string;
}
