/** The tables of nf_tables that are Fairlead's, one of each family, and the key of what is inside of one. */
import { NFPROTO_BRIDGE, NFPROTO_INET } from "../../netlink/nftables/message.ts";

const NAME = "fairlead";

/** Masquerading, isolation, published ports. */
export const TABLE = { family: NFPROTO_INET, name: NAME } as const;
export const INSIDE = { family: NFPROTO_INET, table: NAME } as const;

/** What frames are checked for: their sources. */
export const BRIDGE_TABLE = { family: NFPROTO_BRIDGE, name: NAME } as const;
export const INSIDE_BRIDGE = { family: NFPROTO_BRIDGE, table: NAME } as const;
