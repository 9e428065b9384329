/** What `fairlead ipam recover` does: looks around on this node, and tells the service what is attached. */

import { nameText } from "../../lib/host/attachment/alias.ts";
import type { AttachmentKey, FoundAttachment, RecoverAnswer } from "../../lib/ipam/api.ts";
import { bootId } from "../../lib/linux/processes/machine.ts";
import { openHostNetlinkSocket } from "../../lib/linux/sockets/host-netlink.ts";
import { NETLINK_ROUTE } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import type { Io } from "../base/io.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { type FoundPlaces, findAttached } from "../node/found.ts";
import { NOTHING_RETURNED, type Returned, releaseReturned } from "../node/returned-leases.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";

export interface RecoverOptions extends FoundPlaces {
  readonly socket: string;
  readonly json: boolean;
}

type Outcome = RecoverAnswer & Returned;

/** Returns 1 when something could not be put right. */
export function runRecover(options: RecoverOptions, io: Io): Promise<number> {
  const connection = new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
  return withService(io, options.socket, async (service) => {
    try {
      const found = findAttached(connection, options);
      const { recovering } = await service.info();
      const returned = recovering
        ? await releaseReturned(service, found, { connection, ...options })
        : NOTHING_RETURNED;
      const answer = await service.recover({ bootId: bootId(), ...found }, CLI_CALLER);
      await releaseGone(service, answer.bound, () => findAttached(connection, options).attachments);
      const all = { ...answer, ...returned, problems: [...returned.problems, ...answer.problems] };
      await io.out(options.json ? formatJson(all) : describe(all));
      return all.problems.length > 0 ? 1 : 0;
    } finally {
      connection.close();
    }
  });
}

/** Who was detached between the look and the answer had nothing to release yet. */
async function releaseGone(
  service: CliService,
  bound: readonly FoundAttachment[],
  lookAgain: () => readonly FoundAttachment[],
): Promise<void> {
  if (bound.length === 0) return;
  const there = new Set(lookAgain().map(({ key }) => nameText(key)));
  for (const { key } of bound) if (!there.has(nameText(key))) await service.release({ key }, CLI_CALLER);
}

function describe({ networks, bound, quarantined, released, inDoubt, problems }: Outcome): string {
  const lines = [
    ...networks.map((name) => `network ${name}: made again`),
    ...bound.map(({ key, addresses }) => `${heldBy(key)}: bound again to ${addresses.join(", ")}`),
    ...quarantined.map((address) => `${address}: quarantined`),
    ...released.map(
      ({ key, addresses, evidence }) => `${heldBy(key)}: released ${addresses.join(", ")}: ${evidence}`,
    ),
    ...inDoubt.map(
      ({ key, addresses, evidence }) => `${heldBy(key)}: keeps ${addresses.join(", ")}: ${evidence}`,
    ),
    ...problems.map((problem) => `not put right: ${problem}`),
  ];
  return lines.length === 0 ? "The service knew all that is attached here.\n" : `${lines.join("\n")}\n`;
}

function heldBy({ containerId, ifname, networkName }: AttachmentKey): string {
  return `${containerId} (${ifname}) of ${networkName}`;
}
