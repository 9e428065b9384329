/** On which of its networks a sandbox publishes its ports: the one that its answers leave by. Pure. */
import { isObject, type Json } from "../../lib/cni/json.ts";
import type { Conflist } from "../../lib/runtime/conflist.ts";
import { WordedError } from "../base/worded-error.ts";

export interface NetworkChoice {
  readonly conflist: Conflist;
  /** As it was asked for; absent: what the conflist says. */
  readonly gatewayPriority?: number;
}

const CAPABILITY = "portMappings";
const DEFAULT_ROUTES: readonly Json[] = ["0.0.0.0/0", "::/0"];

/**
 * Place of the network that has the default route: of those with a way out the one of the highest priority, the first among equals.
 * Clients elsewhere are answered by that route, whichever network they came in by.
 *
 * @throws WordedError when that network publishes no ports, or none has a way out.
 */
export function publishingNetwork(networks: readonly NetworkChoice[]): number {
  const outward = networks.filter(({ conflist }) => hasWayOut(conflist));
  const [best = networks.find(isOpen)] = outward.toSorted((a, b) => priorityOf(b) - priorityOf(a));
  if (best === undefined) throw internalOnly(networks);
  if (best.conflist.plugins.some(({ capabilities }) => capabilities.includes(CAPABILITY)))
    return networks.indexOf(best);
  throw new WordedError(
    "unsupported-field",
    `ports cannot be published on network ${best.conflist.name}, which has the default route${isMacvlan(best) ? ": its containers are reached by their own addresses" : ": no plugin of its conflist has the capability portMappings"}`,
  );
}

function hasWayOut({ plugins }: Conflist): boolean {
  const [first] = plugins;
  if (first === undefined || first.raw["internal"] === true) return false;
  return first.raw["isDefaultGateway"] === true || routesOf(first.raw["ipam"]).some(isDefault);
}

function routesOf(ipam: Json | undefined): readonly Json[] {
  const routes = isObject(ipam) ? ipam["routes"] : undefined;
  return Array.isArray(routes) ? routes : [];
}

function isDefault(route: Json): boolean {
  return isObject(route) && DEFAULT_ROUTES.includes(route["dst"] ?? null);
}

/** Hand-written networks whose routes another IPAM plugin knows. */
function isOpen({ conflist: { plugins } }: NetworkChoice): boolean {
  return plugins[0]?.raw["internal"] !== true;
}

function priorityOf({ conflist, gatewayPriority }: NetworkChoice): number {
  const own = conflist.plugins[0]?.raw["gatewayPriority"];
  return gatewayPriority ?? (typeof own === "number" ? own : 0);
}

function isMacvlan({ conflist }: NetworkChoice): boolean {
  return /macvlan$/.test(conflist.plugins[0]?.type ?? "");
}

function internalOnly(networks: readonly NetworkChoice[]): WordedError {
  const names = networks.map(({ conflist }) => conflist.name).join(", ");
  return new WordedError(
    "unsupported-field",
    `ports cannot be published on ${names}: nobody outside reaches an internal network; connect it to another one as well`,
  );
}
