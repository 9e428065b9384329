/** What `fairlead ipam release` does. Each grant is released by its sequence: one that was made meanwhile stays. */
import { formatAddress, tryParseAddress } from "../../lib/addr/address.ts";
import { systemClock } from "../../lib/clock.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Lease } from "../../lib/ipam/api.ts";
import { openHostNetlinkSocket } from "../../lib/linux/host-netlink.ts";
import { hostname } from "../../lib/linux/machine.ts";
import { NETLINK_ROUTE } from "../../lib/linux/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import type { Io } from "../io.ts";
import { type HolderPlaces, Holders, type Verdict } from "../node/holders.ts";
import { formatJson } from "../output/json.ts";
import { formatTable } from "../output/table.ts";
import { UsageError } from "../parse.ts";
import { CLI_CALLER, type CliService } from "../service.ts";
import { withService } from "../with-service.ts";

export interface ReleaseOptions extends HolderPlaces {
  readonly what: string | undefined;
  readonly socket: string;
  readonly json: boolean;
  readonly network: string | undefined;
  readonly stale: boolean;
  readonly yes: boolean;
  readonly force: boolean;
}

interface Judged extends Verdict {
  readonly lease: Lease;
}

/** @throws UsageError, FairleadError not-found, in-use, what the service says */
export function runRelease(options: ReleaseOptions, io: Io): Promise<number> {
  checkUsage(options);
  return withService(io, options.socket, async (service) => {
    const bound = await service.listLeases({
      state: "bound",
      ...(options.network !== undefined && { networkName: options.network }),
    });
    const wanted = options.what === undefined ? bound.filter(isOfThisNode) : chosen(bound, options.what);
    const judged = await judge(service, wanted, options);
    const released = options.stale ? judged.filter(({ holder }) => holder === "gone") : judged;
    if (!options.stale && !options.force) refuseThose(judged);
    const isDone = !options.stale || options.yes;
    if (isDone) for (const one of released) await releaseOne(service, one);
    await io.out(options.json ? jsonOf(released, isDone) : describe(released, { isDone, width: io.columns }));
    return 0;
  });
}

function checkUsage({ what, stale, yes }: ReleaseOptions): void {
  if (what === undefined && !stale)
    throw new UsageError("arguments", "name an address or a container, or say --stale");
  if (what !== undefined && stale) throw new UsageError("arguments", "--stale takes no address or container");
  if (yes && !stale) throw new UsageError("option", "--yes goes with --stale");
}

function isOfThisNode({ node }: Lease): boolean {
  return node === hostname();
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

async function judge(service: CliService, leases: readonly Lease[], places: HolderPlaces): Promise<Judged[]> {
  const networks = new Map((await service.listNetworks()).map((network) => [network.name, network]));
  const connection = new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
  try {
    const holders = new Holders(connection, places);
    const nowMs = systemClock.now();
    return leases.map((lease) =>
      isOfThisNode(lease)
        ? { lease, ...holders.judge(lease, networks.get(lease.networkName) ?? null, nowMs) }
        : { lease, holder: "unknown", evidence: `of node ${lease.node}` },
    );
  } finally {
    connection.close();
  }
}

/** Of those that cannot be told whoever names them knows better, except where they are of another node. */
function refuseThose(judged: readonly Judged[]): void {
  const there = judged.find(({ holder, lease }) => holder === "there" || !isOfThisNode(lease));
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
