/**
 * The kernel side of ADD: a plan in, links, addresses, routes and rules out; each step pushes its undo.
 */
import { formatAddress } from "../../../lib/addr/address.ts";
import { formatPrefix } from "../../../lib/addr/prefix.ts";
import type { ResultInterface } from "../../../lib/cni/result.ts";
import type { UndoStack } from "../../../lib/undo.ts";
import type { AddressPlan, BridgePlan } from "./plan.ts";

export interface Attachment {
  readonly bridge: ResultInterface;
  readonly host: ResultInterface;
  readonly container: ResultInterface;
}
