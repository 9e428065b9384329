/**
 * An expression: one instruction of a rule. Which attributes it has depends on its name.
 *
 * ```
 * |  ..|0001| NFTA_EXPR_NAME  |"payload\0"|
 * |  ..|8002| NFTA_EXPR_DATA  nested: the table of that name
 * ```
 * Expressions that are not listed here keep their data, byte for byte, under `unknown`.
 *
 * Source: nf_tables.h enum nft_expr_attributes.
 */
import { attribute, attributeTable, nestedList, tagged, type ValueOf, zstring } from "../../attribute.ts";
import { bitwiseTable } from "./bitwise.ts";
import { byteorderTable } from "./byteorder.ts";
import { cmpTable } from "./cmp.ts";
import { counterTable } from "./counter.ts";
import { ctTable } from "./ct.ts";
import { dynsetTable } from "./dynset.ts";
import { fibTable } from "./fib.ts";
import { immediateTable } from "./immediate.ts";
import { limitTable } from "./limit.ts";
import { logTable } from "./log.ts";
import { lookupTable } from "./lookup.ts";
import { masqTable } from "./masq.ts";
import { metaTable } from "./meta.ts";
import { natTable } from "./nat.ts";
import { numgenTable } from "./numgen.ts";
import { payloadTable } from "./payload.ts";
import { rangeTable } from "./range.ts";
import { redirTable } from "./redir.ts";
import { rejectTable } from "./reject.ts";
import { matchTable, targetTable } from "./xtables.ts";

export const expressionTable = attributeTable("nft_expr", {
  name: attribute("NFTA_EXPR_NAME", 1, zstring),
  data: tagged("NFTA_EXPR_DATA", 2, {
    kindKey: "name",
    codecs: {
      bitwise: bitwiseTable,
      byteorder: byteorderTable,
      cmp: cmpTable,
      counter: counterTable,
      ct: ctTable,
      dynset: dynsetTable,
      fib: fibTable,
      immediate: immediateTable,
      limit: limitTable,
      log: logTable,
      lookup: lookupTable,
      masq: masqTable,
      match: matchTable,
      meta: metaTable,
      nat: natTable,
      numgen: numgenTable,
      payload: payloadTable,
      range: rangeTable,
      redir: redirTable,
      reject: rejectTable,
      target: targetTable,
    },
  }),
});

export type Expression = ValueOf<typeof expressionTable>;

/** The expressions of a rule, in the order in which they run. */
export const expressionList = nestedList("NFTA_LIST_ELEM", 1, expressionTable);
