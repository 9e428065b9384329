import { readCapture, toHex } from "../../../test/captures/nftables/read-capture.ts";
import { type Codec, decodeAttributes, encodeAttributes } from "../attribute.ts";
import { batchTable } from "./batch.ts";
import { chainTable } from "./chain.ts";
import { elementListTable } from "./element.ts";
import { genTable } from "./gen.ts";
import * as operations from "./message.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFT_MSG_DELCHAIN,
  nfgenmsg,
  nftablesType,
} from "./message.ts";
import { ruleTable } from "./rule.ts";
import { setTable } from "./set.ts";
import { tableTable } from "./table.ts";

const TABLES: Readonly<Record<number, Codec<unknown>>> = {
  [NFNL_MSG_BATCH_BEGIN]: batchTable,
  [NFNL_MSG_BATCH_END]: batchTable,
  [nftablesType(operations.NFT_MSG_NEWTABLE)]: tableTable,
  [nftablesType(operations.NFT_MSG_DELTABLE)]: tableTable,
  [nftablesType(operations.NFT_MSG_NEWCHAIN)]: chainTable,
  [nftablesType(NFT_MSG_DELCHAIN)]: chainTable,
  [nftablesType(operations.NFT_MSG_NEWRULE)]: ruleTable,
  [nftablesType(operations.NFT_MSG_DELRULE)]: ruleTable,
  [nftablesType(operations.NFT_MSG_NEWSET)]: setTable,
  [nftablesType(operations.NFT_MSG_DELSET)]: setTable,
  [nftablesType(operations.NFT_MSG_NEWSETELEM)]: elementListTable,
  [nftablesType(operations.NFT_MSG_DELSETELEM)]: elementListTable,
  [nftablesType(operations.NFT_MSG_NEWGEN)]: genTable,
};

/**
 * The elements of a list are numbered by nft, and we write NFTA_LIST_ELEM for each as the kernel does: takes the
 * numbers out of a message of nft's. Source: libnftnl src/set_elem.c nftnl_set_elems_nlmsg_build_payload.
 */
function unnumberElements(attributes: Uint8Array): Uint8Array {
  const LIST = 3;
  const outer = decodeAttributes(attributes).map((raw) =>
    raw.type === LIST
      ? {
          ...raw,
          payload: encodeAttributes(decodeAttributes(raw.payload).map((inner) => ({ ...inner, type: 1 }))),
        }
      : raw,
  );
  return encodeAttributes(outer);
}

/** Bytes with every NLA_F_NESTED flag taken out: kernels do not set it on all nests. */
function withoutNestedFlags(attributes: Uint8Array): string {
  return toHex(attributes).replace(/(?<=^(.{8})*.{6})8(?=0)/g, "0");
}

/** Paths of everything that no table knew. */
function unknownIn(value: unknown, path: string): string[] {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "unknown" ? [`${path}: ${JSON.stringify(inner)}`] : unknownIn(inner, `${path}.${key}`),
  );
}

const NAMES = ["expressions", "masquerade", "mac-spoof", "isolation", "delete"].flatMap((name) => [
  `${name}.batch.hex`,
  `${name}.list.hex`,
]);

describe.each(NAMES)("%s", (name) => {
  const messages = readCapture(name);

  test("every message has a table, and is written as it was read", () => {
    expect(messages.length).toBeGreaterThan(3);
    for (const { type, payload } of messages) {
      const table = TABLES[type];
      if (table === undefined) throw new Error(`no table for type ${type}`);
      const attributes = payload.slice(nfgenmsg.sizeBytes);
      const wanted = table === elementListTable ? unnumberElements(attributes) : attributes;
      const written = table.encode(table.decode(attributes));
      if (name.endsWith(".list.hex")) expect(withoutNestedFlags(written)).toBe(withoutNestedFlags(wanted));
      else expect(toHex(written)).toBe(toHex(wanted));
    }
  });

  test("no attribute is unknown", () => {
    const unknown = messages.flatMap(({ type, payload }) =>
      unknownIn(TABLES[type]?.decode(payload.slice(nfgenmsg.sizeBytes)), `${type}`),
    );
    expect(unknown).toEqual([]);
  });

  test("headers are written as they were read", () => {
    for (const { payload } of messages) {
      const header = payload.slice(0, nfgenmsg.sizeBytes);
      expect(nfgenmsg.encode(nfgenmsg.decode(header))).toEqual(header);
    }
  });
});
