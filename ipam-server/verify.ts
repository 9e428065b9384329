import { formatAddress, parseAddress } from "../lib/addr/address.ts";
import { FairleadError } from "../lib/errors.ts";
import type { VerifyRequest } from "../lib/ipam/api.ts";
import { checkKey } from "../lib/ipam/validate.ts";
import type { State } from "./state.ts";

/**
 * Checks that the attachment holds addresses, and none but those that the request lists, if it does. The list
 * may hold more: later plugins of a chain add their own. Prefix lengths are not compared.
 *
 * @throws check-failed, with both lists
 */
export function verify(state: State, { key, addresses }: VerifyRequest): void {
  const { networkName, containerId, ifname } = checkKey("check attachment", key);
  const leases = state.network(networkName)?.attachment(containerId, ifname) ?? [];
  const held = leases.map(({ address }) => formatAddress(address));
  const known = addresses?.map((text) => formatAddress(parseAddress(text.split("/")[0] ?? "")));
  const isRight = held.length > 0 && held.every((address) => known?.includes(address) ?? true);
  if (isRight) return;
  const told = known === undefined ? "" : `, and the container was told of ${known.join(", ") || "none"}`;
  throw new FairleadError({
    code: "check-failed",
    operation: "check attachment",
    object: `${containerId} (${ifname}) of network ${networkName}`,
    reason: `it holds ${held.join(", ") || "no address"}${told}`,
    hint: "remove the container from the network and add it again",
    details: { held, ...(known !== undefined && { known }) },
  });
}
