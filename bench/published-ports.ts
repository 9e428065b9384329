/**
 * ADD and DEL of a container on a bridge (masquerade) that publishes one port. Ours does that in one plugin, as the agent's
 * conflists have it, and for comparison in two; the reference has two.
 */
import { type BenchHost, newAttachment, newNetwork, type Side } from "./attachments.ts";
import { ChainOperations, type PublishingAttachment } from "./harness/chain.ts";
import { compare, type Figure } from "./harness/figures.ts";
import type { Timing } from "./harness/operations.ts";
import { waitForQuietMoment } from "./harness/quiet.ts";
import { shuffled } from "./harness/statistics.ts";

/** One contestant, in one way. */
interface Way {
  readonly side: Side;
  /** True: in as few plugins as the contestant can. */
  readonly isFolded: boolean;
}

/** Those that are held against the reference, what their figures are called, and what is to be reached. */
const RIVALS: readonly (Way & { readonly mark: string; readonly atMost?: number })[] = [
  { side: "ours", isFolded: true, mark: "", atMost: 0.3 },
  { side: "alone", isFolded: true, mark: ", without a worker" },
  { side: "ours", isFolded: false, mark: ", in two plugins" },
];
const REFERENCE: Way = { side: "reference", isFolded: true };

interface ChainCell {
  readonly operations: ChainOperations;
  readonly add: Timing[];
  readonly del: Timing[];
}

const WARM_UPS = 5;
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

function newChainCell(host: BenchHost, way: Way): ChainCell {
  const [contestant, network] = [host.contestants[way.side], newNetwork(true)];
  const chain = way.isFolded ? contestant.publishingChain(network) : contestant.chainWithPortmap(network);
  return { operations: new ChainOperations(contestant, chain, host.folder), add: [], del: [] };
}

export function measurePublishedPorts(host: BenchHost, rounds: number): Figure[] {
  const reference = newChainCell(host, REFERENCE);
  const rivals = RIVALS.map((rival) => ({ ...rival, ...newChainCell(host, rival) }));
  const cells: readonly ChainCell[] = [reference, ...rivals];
  for (const cell of cells) warmUp(host, cell);
  for (let round = 0; round < rounds; round += 1) {
    for (const cell of shuffled(cells, host.random)) sample(host, cell);
  }
  return rivals.flatMap(({ mark, atMost, ...cell }) =>
    (["add", "del"] as const).flatMap((verb) => {
      const name = `${verb.toUpperCase()}, masquerade and one published port${mark}`;
      const timings = { ours: cell[verb], reference: reference[verb] };
      return figuresOf(host, { name, ...timings, ...(atMost !== undefined && { atMost }) });
    }),
  );
}

interface Comparison {
  readonly name: string;
  readonly ours: readonly Timing[];
  readonly reference: readonly Timing[];
  /** Of the reference's time. */
  readonly atMost?: number;
}

function figuresOf({ random }: BenchHost, { name, ours, reference, ...target }: Comparison): Figure[] {
  const samples = (pick: (timing: Timing) => number) => ({
    ours: ours.map(pick),
    reference: reference.map(pick),
  });
  return [
    compare(
      name,
      samples(({ wallMs }) => wallMs),
      { random, ...target },
    ),
    compare(
      `${name}: CPU`,
      samples(({ cpuMs }) => cpuMs),
      { random },
    ),
  ];
}
