/** Which layout each rtnetlink message has, for `datagramText`. */
import type { Layout } from "../dump-text.ts";
import { addressMessage } from "./address.ts";
import { linkMessage } from "./link.ts";
import { neighbourMessage } from "./neighbour.ts";
import { netnsIdMessage } from "./netns-id.ts";
import { routeMessage } from "./route.ts";
import { ruleMessage } from "./rule.ts";

/** RTM_* come in groups of four: new, delete, get, set. Source: include/uapi/linux/rtnetlink.h. */
const LAYOUTS: Readonly<Record<number, Layout>> = {
  16: linkMessage,
  20: addressMessage,
  24: routeMessage,
  28: neighbourMessage,
  32: ruleMessage,
  88: netnsIdMessage,
};

export function describeRoute(messageType: number): Layout | undefined {
  return LAYOUTS[messageType & ~3];
}
