/**
 * Leases that came back with a store that was put back, and whose attachments were deleted since the backup: nobody will delete
 * them again (docs/backup.md).
 *
 * Only while the service is in recovery, so that nothing is granted meanwhile, and by the evidence of `ipam release --stale`. What cannot
 * be told stays as it is.
 */

import { FairleadError } from "../../lib/errors.ts";
import { nameText } from "../../lib/host/attachment/alias.ts";
import type { AttachmentKey, Lease } from "../../lib/ipam/api.ts";
import { SyscallError } from "../../lib/linux/calls/errno.ts";
import type { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import type { Found } from "./found.ts";
import { HeldAttachments } from "./held-attachments.ts";
import { type HolderPlaces, Holders, type Verdict } from "./holders.ts";

/** An attachment by the store alone. */
interface ReturnedAttachment {
  readonly key: AttachmentKey;
  /** Without prefix length. */
  readonly addresses: readonly string[];
  readonly evidence: string;
}

export interface Returned {
  readonly released: readonly ReturnedAttachment[];
  /** Those that nobody reported, and that may be there all the same. */
  readonly inDoubt: readonly ReturnedAttachment[];
  readonly problems: readonly string[];
}

export const NOTHING_RETURNED: Returned = { released: [], inDoubt: [], problems: [] };

export interface Surroundings extends HolderPlaces {
  readonly connection: NetlinkConnection;
}

/** Whoever asks again later may find the service well. */
const MAY_PASS: readonly string[] = ["unavailable", "timeout"];

/** Of one attachment: one of each of its pools. */
type Leases = readonly [Lease, ...Lease[]];

/**
 * Releases, of what `found` does not report, what is gone for certain. Idempotent.
 * @throws FairleadError unavailable, timeout: of the service, which is still in recovery then
 */
export async function releaseReturned(
  service: CliService,
  found: Found,
  surroundings: Surroundings,
): Promise<Returned> {
  const reported = new Set(found.attachments.map(({ key }) => nameText(key)));
  const bound = await service.listLeases({ state: "bound" });
  const attachments = byAttachment(bound.filter((lease) => !reported.has(nameText(lease))));
  if (attachments.length === 0) return NOTHING_RETURNED;
  const held = openLocksIfPossible();
  if (held instanceof SyscallError)
    return { ...NOTHING_RETURNED, problems: [`what nobody reported stays leased: ${held.message}`] };
  try {
    // Without those for which a call is under way: it knows better what becomes of them.
    const free = new Set(held.holdAll(attachments.map(([lease]) => lease)));
    const judged = await judge(
      service,
      attachments.filter(([lease]) => free.has(lease)),
      surroundings,
    );
    const release = new Release(service);
    for (const one of judged) {
      await release.one(one);
      held.letGo(one.key);
    }
    return release.outcome;
  } finally {
    held.close();
  }
}

/** Whether a call is under way cannot be told without them. */
function openLocksIfPossible(): HeldAttachments | SyscallError {
  try {
    return new HeldAttachments();
  } catch (thrown) {
    if (thrown instanceof SyscallError) return thrown;
    throw thrown;
  }
}

function byAttachment(leases: readonly Lease[]): Leases[] {
  const groups = new Map<string, [Lease, ...Lease[]]>();
  for (const lease of leases) {
    const group = groups.get(nameText(lease));
    if (group === undefined) groups.set(nameText(lease), [lease]);
    else group.push(lease);
  }
  return [...groups.values()];
}

interface Judged extends Verdict {
  readonly key: AttachmentKey;
  readonly leases: Leases;
}

/** Looks once more, now that nobody attaches or detaches them. */
async function judge(
  service: CliService,
  attachments: readonly Leases[],
  { connection, ...places }: Surroundings,
): Promise<Judged[]> {
  const networks = new Map((await service.listNetworks()).map((network) => [network.name, network]));
  const holders = new Holders(connection, places);
  return attachments.map((leases) => {
    const [{ networkName, containerId, ifname }] = leases;
    const key = { networkName, containerId, ifname };
    const network = networks.get(networkName) ?? null;
    return { key, leases, ...holders.judge(leases[0], network) };
  });
}

class Release {
  readonly #service: CliService;
  readonly #released: ReturnedAttachment[] = [];
  readonly #inDoubt: ReturnedAttachment[] = [];
  readonly #problems: string[] = [];

  constructor(service: CliService) {
    this.#service = service;
  }

  get outcome(): Returned {
    return { released: this.#released, inDoubt: this.#inDoubt, problems: this.#problems };
  }

  async one({ key, leases, holder, evidence }: Judged): Promise<void> {
    const addresses = leases.map(({ address }) => address);
    if (holder === "unknown") this.#inDoubt.push({ key, addresses, evidence });
    if (holder !== "gone") return;
    try {
      const released = await this.#release(key, leases, evidence);
      // None: another node holds them.
      if (released.length > 0) this.#released.push({ key, addresses: released, evidence });
    } catch (thrown) {
      if (!(thrown instanceof FairleadError) || MAY_PASS.includes(thrown.code)) throw thrown;
      this.#problems.push(`${nameText(key)}: ${thrown.message}`);
    }
  }

  async #release(key: AttachmentKey, leases: Leases, evidence: string): Promise<readonly string[]> {
    const sequences = leases.map(({ sequence }) => sequence);
    const reason = `not found on its node after the store was put back: ${evidence}`;
    return (await this.#service.release({ key, sequences, reason }, CLI_CALLER)).released;
  }
}
