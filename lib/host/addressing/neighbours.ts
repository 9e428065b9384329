/** Neighbour entries (IP to MAC) of links. */
import type { Address } from "../../addr/address.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isAbsent } from "../../netlink/request.ts";
import { deleteNeighbour, newNeighbour } from "../../netlink/route/neighbour.ts";

/** Which MAC has an address. */
export interface NeighbourEntry {
  readonly address: Address;
  readonly mac: string;
}

/** Puts permanent entries in place of whatever the link knows about these addresses. One round trip. */
export function replaceNeighbours(
  connection: NetlinkConnection,
  ifindex: number,
  entries: readonly NeighbourEntry[],
): void {
  connection.execute(entries.map((entry) => newNeighbour({ ...entry, ifindex }, "replace")));
}

/** Takes entries away. One that is not there is passed over. One round trip. @throws NetlinkError */
export function removeNeighbours(
  connection: NetlinkConnection,
  ifindex: number,
  addresses: readonly Address[],
): void {
  const requests = addresses.map((address) => deleteNeighbour({ ifindex, address }));
  for (const result of connection.attempt(requests)) {
    if (!result.ok && !isAbsent(result.error)) throw result.error;
  }
}
