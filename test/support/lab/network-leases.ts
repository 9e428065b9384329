/** The leases of a network, asked for over the socket of the service. */
import { getOverUnixSocket } from "./lab-plugins.ts";
import type { PluginLab, TestNetwork } from "./plugin-lab.ts";

interface LeaseRow {
  readonly address: string;
  readonly state: string;
  readonly containerId: string;
  readonly reason: string;
}

/** What the service leased on a network of the lab. */
export async function leasesOf(lab: PluginLab, network: TestNetwork): Promise<LeaseRow[]> {
  const { socket } = lab.plugins.ipam([]) as { socket: string };
  const { body } = await getOverUnixSocket(socket, `/v1/leases?networkName=${network.name}`);
  return (JSON.parse(body) as { leases: LeaseRow[] }).leases;
}

/** Container ID by address, of what is held. */
export const holdersOf = async (lab: PluginLab, network: TestNetwork): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await leasesOf(lab, network))
      .filter(({ state }) => state === "bound")
      .map(({ address, containerId }) => [address, containerId]),
  );
