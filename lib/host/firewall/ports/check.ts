/** Published ports compared with what the kernel has: CNI CHECK. */
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { checkFirewall } from "../check.ts";
import { hasRules } from "./chains.ts";
import { isSamePort } from "./changes.ts";
import { formatHostPort, holderText, type PortHolder, parseHolder } from "./holder.ts";
import { type PublishedPort, portmapChains } from "./plan.ts";
import type { PublishSpec } from "./publish.ts";
import { type PortmapState, readPortmap } from "./state.ts";

/**
 * Makes sure that the ports are published as `spec` says, down to every expression of every rule.
 *
 * @throws FairleadError check-failed, which says what is missing or different; kernel-refused, unavailable.
 */
export function checkPublishedPorts(nft: NFTables, spec: PublishSpec): void {
  const check = {
    operation: "check published ports of",
    object: holderText(spec.holder),
    table: "inet fairlead",
    remedy: "attach the container again",
  };
  checkFirewall(nft, check, () => problemWith(nft, spec));
}

function problemWith(nft: NFTables, spec: PublishSpec): string | null {
  const broken = portmapChains().find((one) => !hasRules(nft, one));
  if (broken) return `chain ${broken.chain.name} is missing, or has other rules than it should`;
  const state = readPortmap(nft);
  const text = holderText(spec.holder);
  if (!state.attachments.some(({ holder }) => holder === text)) {
    return "set portmap-attachments lacks the attachment";
  }
  if (spec.link !== null && !state.hairpinLinks.includes(spec.link)) {
    return `set portmap-hairpin lacks ${spec.link}`;
  }
  if (spec.link !== null && !state.selves.some(({ holder }) => holder === text)) {
    return "set portmap-self lacks the container";
  }
  if (spec.masqueradeAll && !state.masqueraded.some(({ holder }) => holder === text)) {
    return "set portmap-masquerade lacks the container";
  }
  const missing = spec.ports.find((port) => !isHeld(port, spec.holder, state));
  return missing ? `port ${formatHostPort(missing)} does not lead to the container` : null;
}

/** In effect; or on standby, while another attachment of the same container has the port. */
function isHeld(port: PublishedPort, holder: PortHolder, { ports }: PortmapState): boolean {
  const text = holderText(holder);
  const own = ports.find((held) => held.holder === text && isSamePort(held.port, port));
  if (own === undefined || !own.isStandby) return own !== undefined;
  const isOfContainer = (other: string) => parseHolder(other)?.containerId === holder.containerId;
  return ports.some(
    (held) =>
      !held.isStandby &&
      held.port.hostPort === port.hostPort &&
      held.port.protocol === port.protocol &&
      isOfContainer(held.holder),
  );
}
