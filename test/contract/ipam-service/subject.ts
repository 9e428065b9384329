/** What the cases of the contract are about, and what they have in common. */
import type { ManualClock } from "../../../lib/clock.ts";
import type { AttachmentKey, IpamService } from "../../../lib/ipam/api.ts";

export interface ServiceSubject {
  readonly service: IpamService;
  /** The clock of the service. */
  readonly clock: ManualClock;
  close(): Promise<void>;
}

/** The front fills in who calls: every way must act for this node. */
export const caller = { actor: "uid:0", node: "n1" };

export function keyOf(containerId: string, networkName = "web"): AttachmentKey {
  return { networkName, containerId, ifname: "eth0" };
}

export type Service = () => IpamService;

export async function makeWeb(service: Service): Promise<void> {
  const subnets = [{ subnet: "10.1.0.0/24" }, { subnet: "fd00:1::/64" }];
  await service().createNetwork({ name: "web", subnets }, caller);
}
