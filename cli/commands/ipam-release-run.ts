/** What `fairlead ipam release` does. Each grant is released by its sequence: one that was made meanwhile stays. */
import { formatAddress, tryParseAddress } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Lease } from "../../lib/ipam/api.ts";
import { openHostNetlinkSocket } from "../../lib/linux/sockets/host-netlink.ts";
import { NETLINK_ROUTE } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import type { Io } from "../base/io.ts";
import { UsageError } from "../base/parse.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { HeldAttachments } from "../node/held-attachments.ts";
import { type HolderPlaces, Holders, type Verdict } from "../node/holders.ts";
import { type IsOfThisNode, leasesOfThisNode } from "../node/this-node.ts";
import { formatJson } from "../output/json.ts";
import { formatTable } from "../output/table.ts";
import { withService } from "../service/with-service.ts";

export interface ReleaseOptions extends HolderPlaces {
  readonly what: string | undefined;
  readonly socket: string;
  readonly json: boolean;
  readonly network: string | undefined;
  /** Another name that this node went by; undefined: the one that the service has for it. */
  readonly node: string | undefined;
  readonly stale: boolean;
  readonly yes: boolean;
  readonly force: boolean;
}

interface Judged extends Verdict {
  readonly lease: Lease;
}

/** @throws UsageError, FairleadError not-found, in-use, what the service says; SyscallError where locks cannot be had */
export function runRelease(options: ReleaseOptions, io: Io): Promise<number> {
  checkUsage(options);
  return withService(io, options.socket, async (service) => {
    const isOfThisNode = leasesOfThisNode(await service.info(), options.node);
    const { network } = options;
    const bound = await service.listLeases({
      state: "bound",
      ...(network !== undefined && { networkName: network }),
    });
    const wanted = options.what === undefined ? bound.filter(isOfThisNode) : chosen(bound, options.what);
    const held = options.force ? null : new HeldAttachments();
    try {
      const judged = await judge(service, wanted, { options, isOfThisNode, held });
      const released = options.stale ? judged.filter(({ holder }) => holder === "gone") : judged;
      if (!options.stale && !options.force) refuseThose(judged);
      const isDone = !options.stale || options.yes;
      if (isDone) for (const one of released) await releaseOne(service, one);
      await io.out(
        options.json ? jsonOf(released, isDone) : describe(released, { isDone, width: io.columns }),
      );
      return 0;
    } finally {
      held?.close();
    }
  });
}

function checkUsage({ what, node, stale, yes }: ReleaseOptions): void {
  if (what === undefined && !stale)
    throw new UsageError("arguments", "name an address or a container, or say --stale");
  if (what !== undefined && stale) throw new UsageError("arguments", "--stale takes no address or container");
  if (yes && !stale) throw new UsageError("option", "--yes goes with --stale");
  if (node !== undefined && !stale) throw new UsageError("option", "--node goes with --stale");
}

/** Of an address, or of one container: by its ID, a name, or the beginning of an ID that no other has. */
function chosen(bound: readonly Lease[], what: string): readonly Lease[] {
  const address = tryParseAddress(what);
  const text = address === null ? null : formatAddress(address);
  if (text !== null)
    return found(
      bound.filter((lease) => lease.address === text),
      what,
    );
  const exact = bound.filter(({ containerId, names }) => containerId === what || names.includes(what));
  const matching = exact.length > 0 ? exact : bound.filter(({ containerId }) => containerId.startsWith(what));
  const ids = [...new Set(matching.map(({ containerId }) => containerId))];
  if (ids.length <= 1) return found(matching, what);
  const reason = `${ids.length} containers are called so: ${ids.slice(0, 5).join(", ")}`;
  throw notFound(what, reason, "name one by its ID");
}

function found(leases: readonly Lease[], what: string): readonly Lease[] {
  if (leases.length > 0) return leases;
  throw notFound(what, "nobody holds an address so", "see who does with: fairlead ipam leases --state bound");
}

function notFound(object: string, reason: string, hint: string): FairleadError {
  return new FairleadError({ code: "not-found", operation: "release", object, reason, hint });
}

interface Surroundings {
  readonly options: HolderPlaces;
  readonly isOfThisNode: IsOfThisNode;
  /** Null: whoever calls knows that the holder is gone. */
  readonly held: HeldAttachments | null;
}

/** Looks when nobody attaches or detaches them any more. */
async function judge(
  service: CliService,
  leases: readonly Lease[],
  { options, isOfThisNode, held }: Surroundings,
): Promise<Judged[]> {
  const networks = new Map((await service.listNetworks()).map((network) => [network.name, network]));
  const own = leases.filter(isOfThisNode);
  const free = new Set(held === null ? own : held.holdAll(own));
  const connection = new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
  try {
    const holders = new Holders(connection, options);
    const verdictOn = (lease: Lease): Verdict => {
      if (!isOfThisNode(lease)) return { holder: "there", evidence: `of node ${lease.node}` };
      if (!free.has(lease)) return { holder: "there", evidence: "an ADD or DEL for it is under way" };
      return holders.judge(lease, networks.get(lease.networkName) ?? null);
    };
    return leases.map((lease) => ({ lease, ...verdictOn(lease) }));
  } finally {
    connection.close();
  }
}

/** Of those that cannot be told whoever names them knows better. */
function refuseThose(judged: readonly Judged[]): void {
  const there = judged.find(({ holder }) => holder === "there");
  if (there === undefined) return;
  const { lease, evidence } = there;
  throw new FairleadError({
    code: "in-use",
    operation: "release",
    object: lease.address,
    reason: `container ${lease.containerId} (${lease.ifname}) of network ${lease.networkName} may use it: ${evidence}`,
    hint: "remove the container, or take it from the network with: fairlead network disconnect; to release it all the same: --force",
    details: { address: lease.address, containerId: lease.containerId, evidence },
  });
}

async function releaseOne(service: CliService, { lease, evidence }: Judged): Promise<void> {
  const { networkName, containerId, ifname, sequence } = lease;
  const key = { networkName, containerId, ifname };
  const reason = `by hand: ${evidence}`;
  await service.release({ key, sequences: [sequence], anyNode: true, reason }, CLI_CALLER);
}

function jsonOf(released: readonly Judged[], isDone: boolean): string {
  const leases = released.map(({ lease, holder, evidence }) => ({ ...lease, holder, evidence }));
  return formatJson({ released: isDone, leases });
}

function describe(
  released: readonly Judged[],
  { isDone, width }: { readonly isDone: boolean; readonly width: number | null },
): string {
  if (released.length === 0) return "Nothing to release.\n";
  const table = formatTable<Judged>(
    [
      { heading: "ADDRESS", value: ({ lease }) => lease.address },
      { heading: "NETWORK", value: ({ lease }) => lease.networkName, cut: "text" },
      { heading: "CONTAINER", value: ({ lease }) => lease.containerId, cut: "text" },
      { heading: "IFNAME", value: ({ lease }) => lease.ifname },
      { heading: "EVIDENCE", value: ({ evidence }) => evidence, cut: "text" },
    ],
    released,
    width,
  );
  return isDone
    ? `${table}\nReleased.\n`
    : `${table}\nNothing was changed: give back what is listed with --yes.\n`;
}
