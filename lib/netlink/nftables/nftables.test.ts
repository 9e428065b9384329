import { FairleadError } from "../../errors.ts";
import { i32 } from "../attribute.ts";
import { NetlinkConnection, type NetlinkTransport } from "../connection.ts";
import {
  concatBytes,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLMSG_ERROR,
} from "../message.ts";
import { IPV4_ADDR } from "./datatype.ts";
import { element } from "./element.ts";
import { removeElements } from "./elements.ts";
import { genTable } from "./gen.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFPROTO_INET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DESTROYSETELEM,
  NFT_MSG_GETGEN,
  NFT_MSG_NEWGEN,
  NFT_MSG_NEWTABLE,
  nfgenmsg,
  nftablesType,
} from "./message.ts";
import { NFTables, UPDATE_ATTEMPTS } from "./nftables.ts";
import { newSet } from "./set.ts";
import { newTable } from "./table.ts";

const EINVAL = 22;
const ENOENT = 2;
const ERESTART = 85;

/** A kernel that refuses what `errnoOf` says, and acknowledges the rest as the real one does. */
class FakeKernel implements NetlinkTransport {
  readonly batches: NetlinkMessage[][] = [];
  generation = 7;
  readonly #errnoOf: (message: NetlinkMessage) => number;
  #answers: Uint8Array[] = [];

  constructor(errnoOf: (message: NetlinkMessage) => number = () => 0) {
    this.#errnoOf = errnoOf;
  }

  send(datagram: Uint8Array): void {
    const messages = decodeMessages(datagram.slice());
    if (messages[0]?.type === NFNL_MSG_BATCH_BEGIN) this.batches.push(messages);
    for (const message of messages) this.#serve(message);
  }

  #serve(message: NetlinkMessage): void {
    if (message.type === nftablesType(NFT_MSG_GETGEN)) this.#answer(message, this.#gen());
    const errno = this.#errnoOf(message);
    if (errno === 0 && (message.flags & NLM_F_ACK) === 0) return;
    const payload = concatBytes([i32.encode(-errno), encodeMessage(message).slice(0, 16)]);
    this.#answer(message, { type: NLMSG_ERROR, flags: 0x100, payload });
  }

  #gen() {
    const attributes = genTable.encode({ id: this.generation });
    return {
      type: nftablesType(NFT_MSG_NEWGEN),
      flags: 0,
      payload: concatBytes([nfgenmsg.encode({}), attributes]),
    };
  }

  #answer({ sequence }: NetlinkMessage, answer: Pick<NetlinkMessage, "type" | "flags" | "payload">): void {
    this.#answers.push(encodeMessage({ ...answer, sequence, portId: 0 }));
  }

  receive(): Uint8Array {
    const answer = this.#answers.shift();
    if (answer) return answer;
    throw new FairleadError({ code: "timeout", operation: "receive", reason: "the kernel says nothing" });
  }

  close(): void {}
}

function nftOver(kernel: FakeKernel): NFTables {
  return new NFTables(new NetlinkConnection(kernel));
}

const TABLE = { family: NFPROTO_INET, name: "t" } as const;
const SET = { family: NFPROTO_INET, table: "t", set: "s" } as const;
const ELEMENTS = [1, 2, 3].map((last) => element({ key: Uint8Array.of(10, 0, 0, last) }));

describe("a transaction", () => {
  test("is one datagram, in which the last message alone asks for an acknowledgement", () => {
    const kernel = new FakeKernel();
    nftOver(kernel).commit([newTable(TABLE), newSet({ ...SET, name: "s", key: [IPV4_ADDR] })]);
    const [messages = []] = kernel.batches;
    expect(messages.map(({ flags }) => (flags & NLM_F_ACK) !== 0)).toEqual([false, false, true, false]);
    expect(messages[0]?.type).toBe(NFNL_MSG_BATCH_BEGIN);
    expect(messages[3]?.type).toBe(NFNL_MSG_BATCH_END);
  });

  test("of nothing is not sent", () => {
    const kernel = new FakeKernel();
    nftOver(kernel).commit([]);
    expect(kernel.batches).toEqual([]);
  });

  test("that is refused as a whole does not wait for more", () => {
    const kernel = new FakeKernel(({ type }) => (type === NFNL_MSG_BATCH_BEGIN ? ERESTART : 0));
    expect(() => nftOver(kernel).commit([newTable(TABLE)], 1)).toThrow(
      /begin nftables transaction: .*ERESTART/,
    );
  });
});

describe("an update", () => {
  test("gives up when others are always faster", () => {
    const kernel = new FakeKernel(({ type }) => {
      if (type !== nftablesType(NFT_MSG_NEWTABLE)) return 0;
      kernel.generation++;
      return ERESTART;
    });
    let decisions = 0;
    const update = () =>
      nftOver(kernel).update("make table t", () => {
        decisions++;
        return [newTable(TABLE)];
      });
    expect(update).toThrow(expect.objectContaining({ code: "unavailable", operation: "make table t" }));
    expect(decisions).toBe(UPDATE_ATTEMPTS);
  });

  test("that is refused for another reason is not tried again", () => {
    const kernel = new FakeKernel(({ type }) => (type === nftablesType(NFT_MSG_NEWTABLE) ? EINVAL : 0));
    let decisions = 0;
    const update = () =>
      nftOver(kernel).update("make table t", () => {
        decisions++;
        return [newTable(TABLE)];
      });
    expect(update).toThrow(/create nftables table inet t: .*EINVAL/);
    expect(decisions).toBe(1);
  });
});

describe("removeElements on a kernel without NFT_MSG_DESTROYSETELEM", () => {
  const typesOf = (kernel: FakeKernel) => kernel.batches.map((messages) => messages[1]?.type);

  test("deletes one by one, and goes on past those that are gone", () => {
    let deletions = 0;
    const kernel = new FakeKernel(({ type }) => {
      if (type === nftablesType(NFT_MSG_DESTROYSETELEM)) return EINVAL;
      return type === nftablesType(NFT_MSG_DELSETELEM) && ++deletions === 2 ? ENOENT : 0;
    });
    removeElements(nftOver(kernel), SET, ELEMENTS);
    const [destroy, deletion] = [NFT_MSG_DESTROYSETELEM, NFT_MSG_DELSETELEM].map(nftablesType);
    expect(typesOf(kernel)).toEqual([destroy, deletion, deletion, deletion]);
  });

  test("passes any other refusal on", () => {
    const kernel = new FakeKernel(({ type }) => (type === NFNL_MSG_BATCH_BEGIN ? 1 : 0));
    expect(() => removeElements(nftOver(kernel), SET, ELEMENTS)).toThrow(/EPERM/);
    expect(kernel.batches.length).toBe(1);
  });
});
