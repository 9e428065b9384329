/** ADD and DEL of a container on a bridge that publishes one port: bridge (masquerade) and portmap, chained. */
import { type BenchHost, newAttachment, newNetwork, RIVALS, SIDES, type Side } from "./attachments.ts";
import { ChainOperations, type PublishingAttachment } from "./chain.ts";
import { compare, type Figure } from "./figures.ts";
import type { Timing } from "./operations.ts";
import { waitForQuietMoment } from "./quiet.ts";
import { shuffled } from "./statistics.ts";

interface ChainCell {
  readonly side: Side;
  readonly operations: ChainOperations;
  readonly add: Timing[];
  readonly del: Timing[];
}

const WARM_UPS = 5;
/** What is to be reached. Source: issue "Docker's network model on one machine". */
const AT_MOST = 0.3;
const FIRST_PORT = 20_000;

let ports = 0;

function publishing(netns: string): PublishingAttachment {
  ports += 1;
  return { ...newAttachment(netns), hostPort: FIRST_PORT + ports };
}

/** The first operations, and one attachment that stays: a node in use has rules. */
function warmUp(host: BenchHost, { operations }: ChainCell): void {
  for (let round = 0; round < WARM_UPS; round += 1) {
    const attachment = publishing(host.containers.next());
    operations.add(attachment);
    operations.del(attachment);
  }
  operations.add(publishing(host.containers.reserve()));
}

function sample(host: BenchHost, { operations, add, del }: ChainCell): void {
  const attachment = publishing(host.containers.next());
  waitForQuietMoment();
  add.push(operations.add(attachment));
  waitForQuietMoment();
  del.push(operations.del(attachment));
}

export function measurePublishedPorts(host: BenchHost, rounds: number): Figure[] {
  const cells: ChainCell[] = SIDES.map((side) => ({
    side,
    operations: new ChainOperations(host.contestants[side], newNetwork(true), host.folder),
    add: [],
    del: [],
  }));
  for (const cell of cells) warmUp(host, cell);
  for (let round = 0; round < rounds; round += 1) {
    for (const cell of shuffled(cells, host.random)) sample(host, cell);
  }
  return RIVALS.flatMap(({ side, mark }) =>
    (["add", "del"] as const).flatMap((verb) => figuresOf(host, cells, { side, mark, verb })),
  );
}

interface Asked {
  readonly side: Side;
  readonly mark: string;
  readonly verb: "add" | "del";
}

function figuresOf(host: BenchHost, cells: readonly ChainCell[], { side, mark, verb }: Asked): Figure[] {
  const timings = (wanted: Side) => cells.find((cell) => cell.side === wanted)?.[verb] ?? [];
  const samples = (pick: (timing: Timing) => number) => ({
    ours: timings(side).map(pick),
    reference: timings("reference").map(pick),
  });
  const { random } = host;
  const name = `${verb.toUpperCase()}, masquerade and one published port${mark}`;
  return [
    compare(
      name,
      samples(({ wallMs }) => wallMs),
      { random, ...(side === "ours" && { atMost: AT_MOST }) },
    ),
    compare(
      `${name}: CPU`,
      samples(({ cpuMs }) => cpuMs),
      { random },
    ),
  ];
}
