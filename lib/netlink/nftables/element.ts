/** Elements of sets and maps. */
import {
  attribute,
  attributeTable,
  bytes,
  type Codec,
  decodeAttributes,
  encodeAttributes,
  NLA_F_NESTED,
  u32be,
  u64be,
  type ValueOf,
  zstring,
} from "../attribute.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../message.ts";
import type { NetlinkRequest } from "../request.ts";
import { dataTable, type Verdict } from "./expr/data.ts";
import { expressionList, expressionTable } from "./expr/expression.ts";
import {
  decodeObject,
  type InFamily,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DESTROYSETELEM,
  NFT_MSG_GETSETELEM,
  NFT_MSG_NEWSETELEM,
  nftablesRequest,
  objectName,
} from "./message.ts";
import { encodeComment, NFTNL_UDATA_SET_ELEM_COMMENT } from "./userdata.ts";

/** The key is the first that is no longer in the interval begun before. */
export const NFT_SET_ELEM_INTERVAL_END = 1;

/**
 * ```
 * |0008|0003| NFTA_SET_ELEM_FLAGS     |00000001|  interval end
 * |000c|0004| NFTA_SET_ELEM_TIMEOUT   |u64, big-endian, ms|
 * |  ..|8001| NFTA_SET_ELEM_KEY       nested: data
 * |  ..|800a| NFTA_SET_ELEM_KEY_END   nested: data    intervals of concatenations: the last key, included
 * |  ..|8002| NFTA_SET_ELEM_DATA      nested: data    maps
 * |  ..|0006| NFTA_SET_ELEM_USERDATA  |00 04 "web\0"|  comment
 * ```
 * Source: nf_tables.h enum nft_set_elem_attributes.
 */
const elementTable = attributeTable("nft_set_elem", {
  key: attribute("NFTA_SET_ELEM_KEY", 1, dataTable),
  data: attribute("NFTA_SET_ELEM_DATA", 2, dataTable),
  flags: attribute("NFTA_SET_ELEM_FLAGS", 3, u32be),
  timeoutMs: attribute("NFTA_SET_ELEM_TIMEOUT", 4, u64be),
  /** What is left of the timeout. */
  expirationMs: attribute("NFTA_SET_ELEM_EXPIRATION", 5, u64be),
  userdata: attribute("NFTA_SET_ELEM_USERDATA", 6, bytes),
  expression: attribute("NFTA_SET_ELEM_EXPR", 7, expressionTable),
  objectName: attribute("NFTA_SET_ELEM_OBJREF", 9, zstring),
  keyEnd: attribute("NFTA_SET_ELEM_KEY_END", 10, dataTable),
  expressions: attribute("NFTA_SET_ELEM_EXPRESSIONS", 11, expressionList),
});

export type Element = ValueOf<typeof elementTable>;

/**
 * The list of elements. The kernel writes every one as NFTA_LIST_ELEM, and so does this; nft numbers them from 1,
 * which the kernel takes as well.
 */
const elementList: Codec<readonly Element[]> = {
  nested: true,
  encode: (elements) =>
    encodeAttributes(
      elements.map((element) => ({ type: 1, flags: NLA_F_NESTED, payload: elementTable.encode(element) })),
    ),
  decode: (list) => decodeAttributes(list).map(({ payload }) => elementTable.decode(payload)),
};

/**
 * ```
 * |  ..|0001| NFTA_SET_ELEM_LIST_TABLE     |"fairlead\0"|
 * |  ..|0002| NFTA_SET_ELEM_LIST_SET       |"masquerade4\0"|
 * |0008|0004| NFTA_SET_ELEM_LIST_SET_ID    |00000001|  set made in the same transaction
 * |  ..|8003| NFTA_SET_ELEM_LIST_ELEMENTS  nested: list of elements
 * ```
 * Source: nf_tables.h enum nft_set_elem_list_attributes.
 */
export const elementListTable = attributeTable("nft_set_elem_list", {
  table: attribute("NFTA_SET_ELEM_LIST_TABLE", 1, zstring),
  set: attribute("NFTA_SET_ELEM_LIST_SET", 2, zstring),
  elements: attribute("NFTA_SET_ELEM_LIST_ELEMENTS", 3, elementList),
  setId: attribute("NFTA_SET_ELEM_LIST_SET_ID", 4, u32be),
});

export type ElementList = ValueOf<typeof elementListTable> & InFamily;

export interface ElementSpec {
  readonly key: Uint8Array;
  /** Last key of an interval, included; sets of intervals with several fields only. */
  readonly keyEnd?: Uint8Array;
  /** NFT_SET_ELEM_INTERVAL_END. */
  readonly flags?: number;
  /** What it maps to: bytes, or a verdict. */
  readonly value?: Uint8Array;
  readonly verdict?: Verdict;
  readonly timeoutMs?: bigint;
  readonly comment?: string;
}

/** The attributes of a new element, in the order in which nft writes them. */
export function element(spec: ElementSpec): Element {
  const { key, keyEnd, flags, value, verdict, timeoutMs, comment } = spec;
  return {
    flags,
    timeoutMs,
    key: { value: key },
    ...(keyEnd && { keyEnd: { value: keyEnd } }),
    ...(value && { data: { value } }),
    ...(verdict && { data: { verdict } }),
    ...(comment !== undefined && { userdata: encodeComment(comment, NFTNL_UDATA_SET_ELEM_COMMENT) }),
  };
}

export interface ElementsKey extends InFamily {
  readonly table: string;
  readonly set: string;
  /** NFTA_SET_ID, where the set is made in the same transaction and anonymous. */
  readonly setId?: number;
}

/** Adds elements; EEXIST if one is there or overlaps with one that is. */
export function newElements(key: ElementsKey, elements: readonly Element[]): NetlinkRequest {
  const operation = "add elements to nftables set";
  return change(key, elements, { message: NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE | NLM_F_EXCL, operation });
}

/** Adds those of the elements that are not there; one that is stays as it is. EEXIST if it maps to something else. */
export function ensureElements(key: ElementsKey, elements: readonly Element[]): NetlinkRequest {
  const operation = "add elements to nftables set";
  return change(key, elements, { message: NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE, operation });
}

/** Deletes elements; ENOENT if one is not there. */
export function deleteElements(key: ElementsKey, elements: readonly Element[]): NetlinkRequest {
  const operation = "delete elements of nftables set";
  return change(key, elements, { message: NFT_MSG_DELSETELEM, flags: 0, operation });
}

/** Deletes those of the elements that are there. Linux 6.3; EINVAL before. */
export function destroyElements(key: ElementsKey, elements: readonly Element[]): NetlinkRequest {
  const operation = "delete elements of nftables set";
  return change(key, elements, { message: NFT_MSG_DESTROYSETELEM, flags: 0, operation });
}

interface Change {
  readonly message: number;
  readonly flags: number;
  readonly operation: string;
}

function change(key: ElementsKey, elements: readonly Element[], what: Change): NetlinkRequest {
  const { family, table, set, setId } = key;
  return nftablesRequest({
    ...what,
    family,
    attributes: elementListTable.encode({ table, set, setId, elements }),
    object: objectName(family, table, set),
  });
}

/** One element, by its key (of an interval: a key inside); ENOENT if there is none, or no such set. */
export function getElement(
  { family, table, set }: ElementsKey,
  key: Uint8Array,
): NetlinkRequest<ElementList> {
  return nftablesRequest({
    message: NFT_MSG_GETSETELEM,
    family,
    flags: 0,
    attributes: elementListTable.encode({ table, set, elements: [element({ key })] }),
    operation: "read element of nftables set",
    object: objectName(family, table, set),
    decodeReply: (reply) => decodeObject(elementListTable, reply),
  });
}

/** The elements of a set, to be dumped: one reply holds several. ENOENT if there is no such set. */
export function getElements({ family, table, set }: ElementsKey): NetlinkRequest<ElementList> {
  return nftablesRequest({
    message: NFT_MSG_GETSETELEM,
    family,
    flags: 0,
    attributes: elementListTable.encode({ table, set }),
    operation: "list elements of nftables set",
    object: objectName(family, table, set),
    decodeReply: (reply) => decodeObject(elementListTable, reply),
  });
}
