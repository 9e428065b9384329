/** What Fairlead made in the kernel of this machine, whichever network it was for: found by its marks alone, and removed. */
import { Attempts } from "../../attempts.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { familyName } from "../../netlink/nftables/message.ts";
import type { NFTables } from "../../netlink/nftables/nftables.ts";
import { deleteTable, getTable, type TableKey } from "../../netlink/nftables/table.ts";
import { isFairleadBridge } from "../bridge/identity.ts";
import { BRIDGE_TABLE, TABLE } from "../firewall/table.ts";
import { removeLinks } from "../link-group.ts";
import { type LinkState, listLinksOfKind } from "../links.ts";

const TABLES: readonly TableKey[] = [TABLE, BRIDGE_TABLE];
/** Of a host end: `fairlead:NETWORK/CONTAINER/IFNAME`. */
const ATTACHED = /^fairlead:[^/]+\/./;

export interface Traces {
  /** Host ends of containers. A container loses its interface with them. */
  readonly ports: readonly LinkState[];
  readonly bridges: readonly LinkState[];
  readonly tables: readonly TableKey[];
}

export function findTraces(route: NetlinkConnection, nft: NFTables): Traces {
  return {
    ports: listLinksOfKind(route, "veth").filter(({ alias }) => ATTACHED.test(alias)),
    bridges: listLinksOfKind(route, "bridge").filter(({ alias }) => isFairleadBridge(alias)),
    tables: TABLES.filter((table) => nft.find(getTable(table)) !== undefined),
  };
}

/** `inet fairlead`, as `nft` writes it. */
export function tableText({ family, name }: TableKey): string {
  return `${familyName(family)} ${name}`;
}

/** Where to, and a group from `drawLinkGroup`. */
export interface TraceRemoval {
  readonly route: NetlinkConnection;
  readonly nft: NFTables;
  readonly group: number;
}

/** Idempotent; goes on past what will not go. @throws FairleadError of all that would not. */
export function removeTraces({ ports, bridges, tables }: Traces, { route, nft, group }: TraceRemoval): void {
  const attempts = new Attempts();
  for (const links of [ports, bridges]) {
    const ifindexes = links.map(({ ifindex }) => ifindex);
    attempts.run(() => removeLinks(route, ifindexes, group));
  }
  for (const table of tables) {
    attempts.run(() => {
      if (nft.find(getTable(table)) !== undefined) nft.commit([deleteTable(table)]);
    });
  }
  attempts.throwIfFailed("remove", "what Fairlead made on this machine");
}
