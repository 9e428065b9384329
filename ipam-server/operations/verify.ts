/** Verify: what CNI CHECK asks, whether an attachment still has the addresses that its container was told of. */
import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { VerifyRequest } from "../../lib/ipam/api.ts";
import { checkKey } from "../../lib/ipam/validate.ts";
import type { State } from "../state/state.ts";

/**
 * Checks that the attachment holds addresses, and none but those that the request lists, if it does. The list
 * may hold more: later plugins of a chain add their own. It may lack all addresses of IPv6, which a container that has
 * IPv6 switched off does without. Prefix lengths are not compared.
 *
 * @throws check-failed, with both lists
 */
export function verify(state: State, { key, addresses }: VerifyRequest): void {
  const { networkName, containerId, ifname } = checkKey("check attachment", key);
  const leases = state.network(networkName)?.attachment(containerId, ifname) ?? [];
  const held = leases.map(({ address }) => formatAddress(address));
  const told6 = addresses?.some((text) => text.includes(":")) ?? false;
  const known = addresses?.map((text) => formatAddress(parseAddress(text.split("/")[0] ?? "")));
  const isKnown = (address: string) =>
    (known?.includes(address) ?? true) || (!told6 && address.includes(":"));
  const isRight =
    held.length > 0 &&
    held.every(isKnown) &&
    (known === undefined || held.some((one) => known.includes(one)));
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
