/** Connects a new sandbox to its networks, and publishes its ports on one of them. */
import { FairleadError } from "../../lib/errors.ts";
import type { Conflist } from "../../lib/runtime/conflist.ts";
import type { Container } from "../containers/container.ts";
import { attach } from "../node/attach.ts";
import { conflistIfThere, conflistOf, resolveNetwork } from "../node/networks.ts";
import type { Node } from "../node/node.ts";
import type { PortMapping } from "../node/wishes.ts";
import { hostPortChooser } from "./ports/free.ts";
import { chooseHostPorts, isOpen } from "./ports/host.ts";
import type { PublishWish } from "./ports/publish.ts";
import { publishingNetwork } from "./way-out.ts";
import type { NetworkWish } from "./wishes.ts";

/** How often ports are chosen anew when somebody else takes them before they are published. */
const ATTEMPTS = 8;

/** @throws WordedError; what the plugins report. What was attached until then stays. */
export function connectAll(
  node: Node,
  container: Container,
  { networks, ports }: { readonly networks: readonly NetworkWish[]; readonly ports: readonly PublishWish[] },
): void {
  const at = ports.length === 0 ? -1 : placeOfPorts(node, networks);
  for (const [index, network] of networks.entries()) {
    if (index === at) attachPublishing(node, container, { network, ports });
    else attach(node, container, network);
  }
}

function placeOfPorts(node: Node, networks: readonly NetworkWish[]): number {
  return publishingNetwork(
    networks.map(({ reference, wishes: { gatewayPriority } }) => ({
      conflist: conflistFor(node, reference),
      ...(gatewayPriority !== undefined && { gatewayPriority }),
    })),
  );
}

function conflistFor(node: Node, reference: string): Conflist {
  return conflistIfThere(node, reference) ?? conflistOf(node, resolveNetwork(node, reference).name);
}

interface Publishing {
  readonly network: NetworkWish;
  readonly ports: readonly PublishWish[];
}

/** Between choosing a free port and publishing it somebody else may take it: then another is chosen. */
function attachPublishing(node: Node, container: Container, { network, ports }: Publishing): void {
  const { reference, wishes } = network;
  for (let attempt = 1; ; attempt += 1) {
    const portMappings = chosenPorts(ports);
    try {
      attach(node, container, { reference, wishes: { ...wishes, portMappings } });
      return;
    } catch (thrown) {
      const isTaken = thrown instanceof FairleadError && thrown.code === "in-use";
      if (!isTaken || !ports.some(isOpen) || attempt === ATTEMPTS) throw thrown;
    }
  }
}

function chosenPorts(ports: readonly PublishWish[]): PortMapping[] {
  // Where every port was named there is nothing to look for.
  const chooser = ports.some(isOpen)
    ? hostPortChooser()
    : { range: [1, 1] as const, isFree: () => true, random: () => 0 };
  return chooseHostPorts(ports, chooser);
}
