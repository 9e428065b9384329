/** Tables: what holds chains, sets and maps of one address family. */
import { attribute, attributeTable, bytes, u32be, u64be, type ValueOf, zstring } from "../attribute.ts";
import { NLM_F_CREATE } from "../message.ts";
import type { NetlinkRequest } from "../request.ts";
import {
  decodeObject,
  type InFamily,
  NFT_MSG_DELTABLE,
  NFT_MSG_DESTROYTABLE,
  NFT_MSG_GETTABLE,
  NFT_MSG_NEWTABLE,
  nftablesRequest,
  objectName,
} from "./message.ts";

/**
 * ```
 * |  ..|0001| NFTA_TABLE_NAME   |"fairlead\0"|
 * |0008|0002| NFTA_TABLE_FLAGS  |00000000|
 * ```
 * Source: nf_tables.h enum nft_table_attributes.
 */
export const tableTable = attributeTable("nft_table", {
  name: attribute("NFTA_TABLE_NAME", 1, zstring),
  flags: attribute("NFTA_TABLE_FLAGS", 2, u32be),
  /** Chains, sets and other objects in it. */
  use: attribute("NFTA_TABLE_USE", 3, u32be),
  handle: attribute("NFTA_TABLE_HANDLE", 4, u64be),
  userdata: attribute("NFTA_TABLE_USERDATA", 6, bytes),
  owner: attribute("NFTA_TABLE_OWNER", 7, u32be),
});

export type Table = ValueOf<typeof tableTable> & InFamily;

export interface TableKey extends InFamily {
  readonly name: string;
}

/** Makes the table; one that is there is left as it is. */
export function newTable({ family, name }: TableKey): NetlinkRequest {
  return nftablesRequest({
    message: NFT_MSG_NEWTABLE,
    family,
    flags: NLM_F_CREATE,
    attributes: tableTable.encode({ name, flags: 0 }),
    operation: "create nftables table",
    object: objectName(family, name),
  });
}

/** One table; ENOENT if there is none. */
export function getTable({ family, name }: TableKey): NetlinkRequest<Table> {
  return nftablesRequest({
    message: NFT_MSG_GETTABLE,
    family,
    flags: 0,
    attributes: tableTable.encode({ name }),
    operation: "read nftables table",
    object: objectName(family, name),
    decodeReply: (reply) => decodeObject(tableTable, reply),
  });
}

/** Deletes the table and all that is in it; ENOENT if there is none. */
export function deleteTable(key: TableKey): NetlinkRequest {
  return removal(NFT_MSG_DELTABLE, key);
}

/** Like {@link deleteTable}, but content if there is none. Linux 6.3; EINVAL before. */
export function destroyTable(key: TableKey): NetlinkRequest {
  return removal(NFT_MSG_DESTROYTABLE, key);
}

function removal(message: number, { family, name }: TableKey): NetlinkRequest {
  return nftablesRequest({
    message,
    family,
    flags: 0,
    attributes: tableTable.encode({ name }),
    operation: "delete nftables table",
    object: objectName(family, name),
  });
}
