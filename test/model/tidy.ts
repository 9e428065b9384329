/** What a history leaves in the service that the next one would feel: without a start of daemons, which costs most of all. */
import { FairleadError } from "../../lib/errors.ts";
import type { Lease, Network } from "../../lib/ipam/api.ts";
import { networkName, PLAIN_SUBNETS } from "./conflists.ts";
import { NETWORKS } from "./history.ts";
import type { World } from "./world.ts";

/** Longer than either network's addresses rest. */
const SOON_MS = 2_000;
/** The socket's server fills in who it is. */
const CALLER = { actor: "", node: "" };
const OURS: readonly string[] = Array.from({ length: NETWORKS }, (_, at) => networkName(at));

/**
 * Removes the networks, as an administrator may, when addresses of them are out of use for long, or they have other subnets than
 * at first: whoever is attached next makes them anew. Returns false when that is refused: then the world is used up.
 */
export async function tidy(world: World): Promise<boolean> {
  const { service, kernel } = world;
  const networks = (await service.listNetworks()).filter(({ name }) => OURS.includes(name));
  const leases = await service.listLeases({});
  if (!leases.some(isOutOfUse) && !networks.some(isEdited)) return true;
  try {
    for (const { name } of networks) await service.removeNetwork({ name }, CALLER);
  } catch (thrown) {
    if (thrown instanceof FairleadError) return false;
    throw thrown;
  }
  kernel.removeLinks();
  return true;
}

function isOutOfUse({ state, until }: Lease): boolean {
  return state !== "cooling" || Date.parse(until ?? "") > Date.now() + SOON_MS;
}

function isEdited({ pools }: Network): boolean {
  return pools.some(({ subnets }) => subnets.some(({ subnet }) => !PLAIN_SUBNETS.includes(subnet)));
}
