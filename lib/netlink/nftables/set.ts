/** Sets of keys, and maps from keys to data or verdicts. */
import {
  attribute,
  attributeTable,
  bytes,
  nestedList,
  u32,
  u32be,
  u64be,
  type ValueOf,
  zstring,
} from "../attribute.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../message.ts";
import type { NetlinkRequest } from "../request.ts";
import { concatenatedLength, type Datatype, typeNumber } from "./datatype.ts";
import { expressionList, expressionTable } from "./expr/expression.ts";
import {
  type InFamily,
  NFT_MSG_DELSET,
  NFT_MSG_DESTROYSET,
  NFT_MSG_GETSET,
  NFT_MSG_NEWSET,
  nftablesRequest,
  objectName,
} from "./message.ts";
import { getNamed, listNamed, type NamedKind, removeNamed } from "./named-object.ts";
import {
  encodeUserdata,
  NFTNL_UDATA_SET_COMMENT,
  NFTNL_UDATA_SET_DATABYTEORDER,
  NFTNL_UDATA_SET_KEYBYTEORDER,
  type UserdataItem,
} from "./userdata.ts";

/** Source: nf_tables.h enum nft_set_flags. */
export const NFT_SET_ANONYMOUS = 0x01;
/** No element is added once it is in use. */
export const NFT_SET_CONSTANT = 0x02;
/** Elements are intervals of keys. */
export const NFT_SET_INTERVAL = 0x04;
export const NFT_SET_MAP = 0x08;
/** Elements may go away by themselves. */
export const NFT_SET_TIMEOUT = 0x10;
/** Rules add elements: see `dynset`. */
export const NFT_SET_EVAL = 0x20;
/** Keys have several fields, and are intervals in each. */
const NFT_SET_CONCAT = 0x80;

const fieldTable = attributeTable("nft_set_field", {
  length: attribute("NFTA_SET_FIELD_LEN", 1, u32be),
});

/**
 * ```
 * |0008|0001| NFTA_SET_DESC_SIZE    |00000064|  elements at most
 * |  ..|8002| NFTA_SET_DESC_CONCAT  nested: list of NFTA_SET_FIELD_LEN, without padding
 * ```
 * Source: nf_tables.h enum nft_set_desc_attributes.
 */
const descriptionTable = attributeTable("nft_set_desc", {
  size: attribute("NFTA_SET_DESC_SIZE", 1, u32be),
  fields: attribute("NFTA_SET_DESC_CONCAT", 2, nestedList("NFTA_LIST_ELEM", 1, fieldTable)),
});

/**
 * ```
 * |  ..|0001| NFTA_SET_TABLE      |"fairlead\0"|
 * |  ..|0002| NFTA_SET_NAME       |"masquerade4\0"|
 * |0008|0003| NFTA_SET_FLAGS      |0000008c|  concat, map, interval
 * |0008|0004| NFTA_SET_KEY_TYPE   |00000a47|  ifname . ipv4_addr; for nft, the kernel does not read it
 * |0008|0005| NFTA_SET_KEY_LEN    |00000014|
 * |0008|0006| NFTA_SET_DATA_TYPE  |ffffff00|  verdict
 * |0008|0007| NFTA_SET_DATA_LEN   |00000000|
 * |0008|000a| NFTA_SET_ID         |00000001|  for references inside the transaction
 * |  ..|8009| NFTA_SET_DESC       nested: description
 * |000c|000b| NFTA_SET_TIMEOUT    |u64, big-endian, ms|
 * |  ..|000d| NFTA_SET_USERDATA   |byte orders, comment|
 * ```
 * Source: nf_tables.h enum nft_set_attributes.
 */
export const setTable = attributeTable("nft_set", {
  table: attribute("NFTA_SET_TABLE", 1, zstring),
  name: attribute("NFTA_SET_NAME", 2, zstring),
  flags: attribute("NFTA_SET_FLAGS", 3, u32be),
  keyType: attribute("NFTA_SET_KEY_TYPE", 4, u32be),
  keyLength: attribute("NFTA_SET_KEY_LEN", 5, u32be),
  dataType: attribute("NFTA_SET_DATA_TYPE", 6, u32be),
  dataLength: attribute("NFTA_SET_DATA_LEN", 7, u32be),
  policy: attribute("NFTA_SET_POLICY", 8, u32be),
  description: attribute("NFTA_SET_DESC", 9, descriptionTable),
  id: attribute("NFTA_SET_ID", 10, u32be),
  timeoutMs: attribute("NFTA_SET_TIMEOUT", 11, u64be),
  gcIntervalMs: attribute("NFTA_SET_GC_INTERVAL", 12, u32be),
  userdata: attribute("NFTA_SET_USERDATA", 13, bytes),
  objectType: attribute("NFTA_SET_OBJ_TYPE", 15, u32be),
  handle: attribute("NFTA_SET_HANDLE", 16, u64be),
  expression: attribute("NFTA_SET_EXPR", 17, expressionTable),
  expressions: attribute("NFTA_SET_EXPRESSIONS", 18, expressionList),
  /** Name of the kernel's data structure, as a symbol or an address. Linux 6.16. */
  backend: attribute("NFTA_SET_TYPE", 19, zstring),
  /** How many elements it has. Linux 6.16. */
  count: attribute("NFTA_SET_COUNT", 20, u32be),
});

export type NftSet = ValueOf<typeof setTable> & InFamily;

const SET: NamedKind<ValueOf<typeof setTable>> = {
  noun: "set",
  getMessage: NFT_MSG_GETSET,
  codec: setTable,
};

export interface SetKey extends InFamily {
  readonly table: string;
  readonly name: string;
}

export interface SetSpec extends SetKey {
  /** One field, or the fields of a concatenation. */
  readonly key: readonly Datatype[];
  /** Makes it a map: what keys map to, `[VERDICT]` for a verdict map. */
  readonly data?: readonly Datatype[];
  /** NFT_SET_*; NFT_SET_MAP and NFT_SET_CONCAT are added as `key` and `data` ask for. */
  readonly flags?: number;
  /** Elements at most. */
  readonly size?: number;
  readonly timeoutMs?: bigint;
  /** By which other messages of the transaction refer to it. An anonymous set has nothing else. */
  readonly id?: number;
  readonly comment?: string;
}

/** Makes the set; EEXIST if it is there. An anonymous set is named `__set%d`, and the kernel puts a number in. */
export function newSet(spec: SetSpec): NetlinkRequest {
  const { family, table, name } = spec;
  return nftablesRequest({
    message: NFT_MSG_NEWSET,
    family,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    attributes: setTable.encode(setAttributes(spec)),
    operation: `create nftables ${spec.data ? "map" : "set"}`,
    object: objectName(family, table, name),
  });
}

/** The attributes of a new set, in the order in which nft writes them. */
function setAttributes(spec: SetSpec): ValueOf<typeof setTable> {
  const { table, name, key, data, size, timeoutMs, id = 0 } = spec;
  const fields = hasIntervalFields(spec) ? key.map(({ length }) => ({ length })) : undefined;
  const description = { ...(size !== undefined && { size }), ...(fields && { fields }) };
  return {
    table,
    name,
    flags: setFlags(spec),
    keyType: typeNumber(key),
    keyLength: concatenatedLength(key),
    ...(data && { dataType: typeNumber(data), dataLength: concatenatedLength(data) }),
    id,
    ...((size !== undefined || fields) && { description }),
    timeoutMs,
    userdata: encodeUserdata(setUserdata(spec)),
  };
}

function hasIntervalFields({ key, flags = 0 }: SetSpec): boolean {
  return key.length > 1 && (flags & NFT_SET_INTERVAL) !== 0;
}

function setFlags(spec: SetSpec): number {
  const { data, flags = 0 } = spec;
  return flags | (data ? NFT_SET_MAP : 0) | (hasIntervalFields(spec) ? NFT_SET_CONCAT : 0);
}

/** Byte orders tell nft how to print elements: 1 host, 2 big-endian, 0 for a concatenation, where the types tell. */
function setUserdata({ key, data, comment }: SetSpec): UserdataItem[] {
  const orderOf = ([first, second]: readonly Datatype[]) => (first && !second ? first.byteOrder : 0);
  const items = [{ type: NFTNL_UDATA_SET_KEYBYTEORDER, value: u32.encode(orderOf(key)) }];
  if (data) items.push({ type: NFTNL_UDATA_SET_DATABYTEORDER, value: u32.encode(orderOf(data)) });
  if (comment !== undefined) {
    items.push({ type: NFTNL_UDATA_SET_COMMENT, value: new TextEncoder().encode(`${comment}\0`) });
  }
  return items;
}

/** One set or map, by name; ENOENT if there is none. */
export function getSet(key: SetKey): NetlinkRequest<NftSet> {
  return getNamed(SET, key);
}

/** The sets and maps of a table, to be dumped. ENOENT if the table does not exist. */
export function getSets(of: Pick<SetKey, "family" | "table">): NetlinkRequest<NftSet> {
  return listNamed(SET, of);
}

/** Deletes the set with its elements; ENOENT if there is none, EBUSY while a rule looks up in it. */
export function deleteSet(key: SetKey): NetlinkRequest {
  return removeNamed(SET, NFT_MSG_DELSET, key);
}

/** Like {@link deleteSet}, but content if there is none. Linux 6.3; EINVAL before. */
export function destroySet(key: SetKey): NetlinkRequest {
  return removeNamed(SET, NFT_MSG_DESTROYSET, key);
}
