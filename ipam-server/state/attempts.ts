/**
 * What requests were carried out under which name.
 *
 * A client gives each acquire and each release a name of its own. So the same request sent again (its answer was lost) is
 * told from a new one, one that was given up is refused when it arrives late, and what it was granted is found.
 *
 * In memory only: a request that is still under way dies with the connection, and so with the server. As many are
 * remembered as can wait at once.
 */
import type { AttachmentKey } from "../../lib/ipam/api.ts";

const MOST_REMEMBERED = 16_384;

export interface Attempt {
  /** Sequence of each grant that it made; confirming what was held is none. */
  readonly granted: ReadonlySet<number>;
  /** What an acquire was answered: the sequences of all addresses, those that were confirmed too. */
  readonly answered: ReadonlySet<number>;
  readonly created: boolean;
  /** It must not be carried out any more: given up by its client, or a release that was done. */
  readonly isOver: boolean;
}

export const NOTHING_DONE: Attempt = {
  granted: new Set(),
  answered: new Set(),
  created: false,
  isOver: false,
};

export class Attempts {
  /** Oldest first. */
  readonly #byName = new Map<string, Attempt>();

  find(key: AttachmentKey, name: string): Attempt | undefined {
    return this.#byName.get(fullName(key, name));
  }

  /** Answers how to forget it again. */
  remember(key: AttachmentKey, name: string, attempt: Attempt): () => void {
    const full = fullName(key, name);
    const before = this.#byName.get(full);
    this.#byName.set(full, attempt);
    if (this.#byName.size > MOST_REMEMBERED) this.#forgetOldest();
    return () => {
      if (before === undefined) this.#byName.delete(full);
      else this.#byName.set(full, before);
    };
  }

  #forgetOldest(): void {
    const [oldest] = this.#byName.keys();
    if (oldest !== undefined) this.#byName.delete(oldest);
  }
}

/** No part can hold a "/". */
function fullName({ networkName, containerId, ifname }: AttachmentKey, name: string): string {
  return `${networkName}/${containerId}/${ifname}/${name}`;
}
