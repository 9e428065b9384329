/**
 * `dynset`: adds an element to a set, or renews it, as packets come by.
 *
 * ```
 * |0008|0004| NFTA_DYNSET_SREG_KEY     |00000001|
 * |0008|0005| NFTA_DYNSET_SREG_DATA    |00000002|  maps only
 * |0008|0003| NFTA_DYNSET_OP           |00000001|  update
 * |000c|0006| NFTA_DYNSET_TIMEOUT      |u64, big-endian, ms|
 * |  ..|0001| NFTA_DYNSET_SET_NAME     |"seen\0"|
 * |0008|0002| NFTA_DYNSET_SET_ID       |00000004|  set made in the same transaction
 * |  ..|8007| NFTA_DYNSET_EXPR         nested: counter or limit, one for each element
 * ```
 * Source: nf_tables.h enum nft_dynset_attributes, nft_dynset_ops.
 */
import {
  attribute,
  attributeTable,
  nestedList,
  tagged,
  u32be,
  u64be,
  type ValueOf,
  zstring,
} from "../../attribute.ts";
import { counterTable } from "./counter.ts";
import { limitTable } from "./limit.ts";

/** Leaves an element that is there alone. */
export const NFT_DYNSET_OP_ADD = 0;
/** Starts its timeout anew. */
export const NFT_DYNSET_OP_UPDATE = 1;

/** The expressions with a state of their own, which an element can carry. */
const statefulExpressionTable = attributeTable("nft_expr", {
  name: attribute("NFTA_EXPR_NAME", 1, zstring),
  data: tagged("NFTA_EXPR_DATA", 2, {
    kindKey: "name",
    codecs: { counter: counterTable, limit: limitTable },
  }),
});

type StatefulExpression = ValueOf<typeof statefulExpressionTable>;

export const dynsetTable = attributeTable("nft_dynset", {
  set: attribute("NFTA_DYNSET_SET_NAME", 1, zstring),
  setId: attribute("NFTA_DYNSET_SET_ID", 2, u32be),
  op: attribute("NFTA_DYNSET_OP", 3, u32be),
  keyRegister: attribute("NFTA_DYNSET_SREG_KEY", 4, u32be),
  dataRegister: attribute("NFTA_DYNSET_SREG_DATA", 5, u32be),
  timeoutMs: attribute("NFTA_DYNSET_TIMEOUT", 6, u64be),
  expression: attribute("NFTA_DYNSET_EXPR", 7, statefulExpressionTable),
  flags: attribute("NFTA_DYNSET_FLAGS", 9, u32be),
  expressions: attribute(
    "NFTA_DYNSET_EXPRESSIONS",
    10,
    nestedList("NFTA_LIST_ELEM", 1, statefulExpressionTable),
  ),
});

export interface Dynset {
  readonly set: string;
  readonly setId?: number;
  readonly op: number;
  readonly keyRegister: number;
  readonly dataRegister?: number;
  readonly timeoutMs?: bigint;
  readonly expression?: StatefulExpression;
}

export function dynset({ set, setId, op, keyRegister, dataRegister, timeoutMs, expression }: Dynset) {
  return {
    name: "dynset",
    data: { keyRegister, dataRegister, op, timeoutMs, set, setId, expression },
  } as const;
}
