/**
 * Under which name the leases of this node are in the service: as its configuration says (`nodeName`), which need not be the
 * name of the host.
 *
 * It counts only where the service runs in the network namespace that this command looks at. One that is reached from
 * another holds leases under the same name whose links cannot be seen from here.
 */
import type { Lease, ServiceInfo } from "../../lib/ipam/api.ts";
import { bootId, hostname } from "../../lib/linux/processes/machine.ts";
import { readLink } from "../../lib/linux/processes/process-place.ts";

/** Tells the leases of this node from those of others. */
export type IsOfThisNode = (lease: Lease) => boolean;

/**
 * @param called another name that this node went by in its present boot: what is under that name and of another boot, or of
 *   one that is not known, is another node's
 */
export function leasesOfThisNode({ node }: Pick<ServiceInfo, "node">, called?: string): IsOfThisNode {
  const boot = bootId();
  const isHere = node !== undefined && node.bootId === boot && node.netns === readLink("/proc/self/ns/net");
  const own = isHere ? node.name : hostname();
  if (called === undefined || called === own) return (lease) => lease.node === own;
  return (lease) => lease.node === called && lease.bootId === boot;
}
