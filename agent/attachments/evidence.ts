/** Whether the service says that an attachment is bound here, with the addresses that its runtime remembers. */
import { nameText } from "../../lib/host/attachment/alias.ts";
import type { Endpoint } from "../../lib/ipam/api.ts";
import type { NodeService } from "../base/part.ts";
import type { DesiredAttachment } from "./desired.ts";

export { nameText as keyText } from "../../lib/host/attachment/alias.ts";

/** Up to so many containers are asked about one by one; more of them, and everything is listed. */
const FEW = 16;

/** Those of `attachments` that are bound on `node`, or that the service has no say in. @throws FairleadError unavailable, … */
export async function boundHere(
  service: Pick<NodeService, "listEndpoints">,
  node: string,
  attachments: readonly DesiredAttachment[],
): Promise<ReadonlySet<DesiredAttachment>> {
  const leased = attachments.filter(({ isLeased }) => isLeased);
  const endpoints = await endpointsOf(service, new Set(leased.map(({ key }) => key.containerId)));
  const byKey = new Map(endpoints.map((endpoint) => [nameText(endpoint), endpoint]));
  return new Set(
    attachments.filter((one) => !one.isLeased || isBound(one, node, byKey.get(nameText(one.key)))),
  );
}

/** What these containers hold; when they are many, what others hold as well. @throws FairleadError unavailable, … */
export async function endpointsOf(
  service: Pick<NodeService, "listEndpoints">,
  containers: ReadonlySet<string>,
): Promise<readonly Endpoint[]> {
  if (containers.size > FEW) return service.listEndpoints({});
  const lists = await Promise.all(
    [...containers].map((containerId) => service.listEndpoints({ containerId })),
  );
  return lists.flat();
}

function isBound({ addresses }: DesiredAttachment, node: string, endpoint: Endpoint | undefined): boolean {
  if (endpoint?.node !== node) return false;
  const held = new Set(endpoint.addresses.map(({ address }) => address.split("/")[0]));
  return addresses.every((address) => held.has(address));
}
