import { capturedMessages, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { getNetnsId, NETNS_ID_NOT_ASSIGNED, netnsIdMessage, newNetnsId } from "./netns-id.ts";

test("a namespace is numbered as ip numbers it", () => {
  expectSameRequest(newNetnsId(6, 7), "netns-id-add.request", netnsIdMessage);
});

test("without a number the kernel chooses one", () => {
  expect(netnsIdMessage.decode(newNetnsId(6).payload)).toMatchObject({ id: NETNS_ID_NOT_ASSIGNED });
});

test("its number is asked for as ip asks, and read", () => {
  const request = getNetnsId(6);
  expectSameRequest(request, "netns-id-get.request", netnsIdMessage);
  expect(capturedMessages("netns-id-get.reply").map((reply) => request.decodeReply?.(reply))).toEqual([7]);
});
