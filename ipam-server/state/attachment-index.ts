/** Which attachments a container has, over all networks. */
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { ChunkedMap } from "./chunked-map.ts";

/** One attachment and what it holds. */
export interface Attachment<Owner> {
  /** The network that it is on. */
  readonly owner: Owner;
  readonly containerId: string;
  readonly ifname: string;
  /** Its bound leases, in the order of their pools; never empty. Replaced, never changed. */
  leases: readonly LeaseRecord[];
}

/**
 * The attachments of all networks by container.
 *
 * A container has few attachments, so finding one among them, or all of them, costs one look-up by container
 * ID, whatever the number of containers and networks.
 */
export class AttachmentIndex<Owner> {
  readonly #byContainer = new ChunkedMap<readonly Attachment<Owner>[]>();
  #size = 0;

  /** Attachments of all networks. */
  get size(): number {
    return this.#size;
  }

  /** Every attachment of a container, on whatever network. */
  of(containerId: string): readonly Attachment<Owner>[] {
    return this.#byContainer.get(containerId) ?? [];
  }

  add(attachment: Attachment<Owner>): void {
    const { containerId } = attachment;
    const others = this.#byContainer.get(containerId);
    this.#size += 1;
    this.#byContainer.set(containerId, others === undefined ? [attachment] : [...others, attachment]);
  }

  remove(attachment: Attachment<Owner>): void {
    const { containerId } = attachment;
    const all = this.of(containerId);
    const rest = all.filter((other) => other !== attachment);
    this.#size -= all.length - rest.length;
    if (rest.length === 0) this.#byContainer.delete(containerId);
    else this.#byContainer.set(containerId, rest);
  }
}
