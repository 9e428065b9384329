/** Which ports of the host are taken for those that were left open. */

import { WordedError } from "../../base/worded-error.ts";
import type { PortMapping } from "../../node/wishes.ts";
import type { Protocol, PublishWish } from "./publish.ts";

/** One port of the host, as something may be in its way. */
export interface HostPortChoice {
  readonly protocol: Protocol;
  /** Absent: every address. */
  readonly hostIP?: string;
  readonly port: number;
}

export interface PortChooser {
  /** First and last of the ports that are given where none was asked for. */
  readonly range: readonly [first: number, last: number];
  isFree(port: HostPortChoice): boolean;
  /** Number from 0, less than `below`. */
  random(below: number): number;
}

/**
 * The mapping of each wish. A port that was asked for stands as it is: whoever publishes it says whether it can be had.
 *
 * Out of the range of all, the search begins anywhere: two that search at once seldom find the same port.
 * @throws WordedError `in-use`
 */
export function chooseHostPorts(wishes: readonly PublishWish[], chooser: PortChooser): PortMapping[] {
  const named = wishes.flatMap(({ protocol, hostPorts }) =>
    hostPorts !== null && hostPorts[0] === hostPorts[1] ? [`${protocol}/${hostPorts[0]}`] : [],
  );
  const taken = new Set(named);
  return wishes.map((wish) => {
    const hostPort = choose(wish, taken, chooser);
    taken.add(`${wish.protocol}/${hostPort}`);
    const { containerPort, protocol, hostIP } = wish;
    return { hostPort, containerPort, protocol, ...(hostIP !== undefined && { hostIP }) };
  });
}

/** True when the wish leaves the choice to us. */
export function isOpen({ hostPorts }: PublishWish): boolean {
  return hostPorts === null || hostPorts[0] !== hostPorts[1];
}

function choose(wish: PublishWish, taken: ReadonlySet<string>, chooser: PortChooser): number {
  const { protocol, hostIP, hostPorts } = wish;
  if (hostPorts !== null && !isOpen(wish)) return hostPorts[0];
  const [first, last] = hostPorts ?? chooser.range;
  const count = last - first + 1;
  const start = hostPorts === null ? chooser.random(count) : 0;
  for (let step = 0; step < count; step += 1) {
    const port = first + ((start + step) % count);
    if (taken.has(`${protocol}/${port}`)) continue;
    if (chooser.isFree({ protocol, port, ...(hostIP !== undefined && { hostIP }) })) return port;
  }
  throw new WordedError(
    "in-use",
    `published port ${JSON.stringify(wish.typed)}: every ${protocol} port from ${first} to ${last} is taken`,
  );
}
