/**
 * A look at this machine for addresses of a network that are in use already, before the network's first address is granted.
 *
 * Containers may run on it that another plugin has attached: by host-local's files one knows whose an address is, by
 * the bridge's ports and neighbours only that it is somebody's.
 */
import { type Address, formatAddress } from "../../lib/addr/address.ts";
import { ifnameProblem } from "../../lib/addr/ifname.ts";
import { type Prefix, prefixContains, tryParsePrefix } from "../../lib/addr/prefix.ts";
import { isIdentifier } from "../../lib/cni/environment.ts";
import { readLeniently, TOP, text } from "../../lib/cni/fields.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { FairleadError } from "../../lib/errors.ts";
import { isOurAlias } from "../../lib/host/attachment/alias.ts";
import { listAddressesOnBridge } from "../../lib/host/bridge/survey.ts";
import { HostNetlink } from "../../lib/host/netlink.ts";
import {
  MOST_FOUND,
  type NetworkDeclaration,
  type Survey,
  type SurveyedAddress,
} from "../../lib/ipam/api.ts";
import { type HostLocalLease, listHostLocal } from "./host-local.ts";

/** What is looked at. */
export interface SurveyedNetwork {
  /** The interface plugin's configuration, whole. */
  readonly raw: JsonObject;
  readonly networkName: string;
  readonly declaration: NetworkDeclaration;
  log(message: string): void;
}

/** What a lease of a host-local before 0.8 leaves open: nearly every runtime calls the first interface so. */
const USUAL_IFNAME = "eth0";
/** The plugins whose bridge has a name where the configuration gives none. */
const BRIDGE_PLUGINS = ["bridge", "fairlead-bridge"];
const DEFAULT_BRIDGE = "cni0";

/**
 * Finds the addresses in the declared subnets that are in use.
 *
 * @throws FairleadError invalid-config when there are too many to tell of; kernel-refused, io-failure: what cannot be looked
 *   at cannot be told to be free.
 */
export function surveyNetwork(network: SurveyedNetwork): Survey {
  const subnets = network.declaration.rangeSets.flat().flatMap(({ subnet }) => tryParsePrefix(subnet) ?? []);
  const found = new Map<string, SurveyedAddress>();
  const note = (address: Address, facts: Omit<SurveyedAddress, "address">): void => {
    const shown = formatAddress(address);
    if (!found.has(shown) && isIn(subnets, address)) found.set(shown, { address: shown, ...facts });
  };
  for (const lease of listHostLocal(network)) note(lease.address, factsOf(lease));
  for (const { address, seen } of listOnBridge(network.raw)) note(address, { seen });
  if (found.size > MOST_FOUND) throw tooMany(network.networkName, found.size);
  if (found.size > 0) network.log(`${network.networkName} is new to the service: ${summaryOf(found)}`);
  return { found: [...found.values()] };
}

function summaryOf(found: ReadonlyMap<string, SurveyedAddress>): string {
  const first = [...found.values()][0];
  return `${found.size} of its addresses are in use here, such as ${first?.address} (${first?.seen}); see them with: fairlead ipam leases`;
}

function isIn(subnets: readonly Prefix[], address: Address): boolean {
  return subnets.some((subnet) => prefixContains(subnet, address));
}

/** What names nobody that could be asked for is somebody unknown. */
function factsOf({ containerId, ifname, file }: HostLocalLease): Omit<SurveyedAddress, "address"> {
  const seen = `lease of host-local, ${file}`;
  const name = ifname === "" ? USUAL_IFNAME : ifname;
  const isHolder = isIdentifier(containerId) && ifnameProblem(name) === null;
  return isHolder ? { seen, containerId, ifname: name } : { seen };
}

function listOnBridge(raw: JsonObject): ReturnType<typeof listAddressesOnBridge> {
  const name = bridgeOf(raw);
  if (name === "") return [];
  const host = new HostNetlink();
  try {
    return listAddressesOnBridge(host.route, name, isOurAlias);
  } finally {
    host.close();
  }
}

/** Empty: the network has none that this configuration names. */
function bridgeOf(raw: JsonObject): string {
  const complain = (): void => undefined;
  const { type, bridge } = readLeniently({ type: text(), bridge: text() }, raw, { ...TOP, complain });
  if (bridge === "") return BRIDGE_PLUGINS.includes(type) ? DEFAULT_BRIDGE : "";
  return ifnameProblem(bridge) === null ? bridge : "";
}

function tooMany(networkName: string, count: number): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "survey network",
    object: networkName,
    reason: `${count} of its addresses are in use on this machine, and ${MOST_FOUND} can be taken over`,
    hint: "give the network other ranges, or remove containers first",
  });
}
