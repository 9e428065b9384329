/**
 * ADD and DEL of bridge attachments, ours (by a resident worker, and alone in the plugin's process) and the reference's side by
 * side: in every round each cell has one turn, in random order, each sample behind a quiet moment. A drift of the machine then
 * hits all cells alike.
 */
import type { BenchNetwork, Contestant } from "./harness/contestants.ts";
import { compare, type Figure } from "./harness/figures.ts";
import type { ContainerPool } from "./harness/host.ts";
import { type BenchAttachment, NetworkOperations, type Timing } from "./harness/operations.ts";
import { waitForQuietMoment } from "./harness/quiet.ts";
import { type Random, shuffled } from "./harness/statistics.ts";

/** What every measurement of this file needs. */
export interface BenchHost {
  readonly contestants: Readonly<Record<Side, Contestant>>;
  readonly containers: ContainerPool;
  /** For configurations and outputs. */
  readonly folder: string;
  readonly random: Random;
}

/** `alone`: ours without a resident worker. */
export type Side = "ours" | "alone" | "reference";
const SIDES: readonly Side[] = ["ours", "alone", "reference"];
/** Those that are held against the reference, and what their figures are called. */
const RIVALS = [
  { side: "ours", mark: "" },
  { side: "alone", mark: ", without a worker" },
] as const;

/** One contestant on one network, with its samples. */
export interface Cell {
  readonly side: Side;
  readonly operations: NetworkOperations;
  readonly add: Timing[];
  readonly del: Timing[];
}

/** ADD and DEL before the samples count: the bridge is made, the page cache is warm. */
const WARM_UPS = 5;
/** Attachments of one concurrent run, and how many are under way at once. */
export const CONCURRENT_ATTACHMENTS = 50;
const CONCURRENT_WIDTH = 16;

let networks = 0;

/** A network of its own: bridge names of 15 bytes at most, subnets that do not overlap. */
export function newNetwork(masquerade: boolean): BenchNetwork {
  networks += 1;
  return {
    name: `flb${networks}${masquerade ? "m" : "p"}`,
    subnet: `10.${99 + networks}.0.0/16`,
    masquerade,
  };
}

export function newCell(host: BenchHost, side: Side, masquerade: boolean): Cell {
  const network = newNetwork(masquerade);
  const operations = new NetworkOperations(host.contestants[side], network, host.folder);
  return { side, operations, add: [], del: [] };
}

let containers = 0;

/** An attachment of a new container ID. */
export function newAttachment(netns: string): BenchAttachment {
  containers += 1;
  return { containerId: `bench-${containers}`, netns };
}

/** The first operations of a cell, and one attachment that stays: the bridge of a node in use has a port. */
function warmUp(host: BenchHost, cell: Cell): void {
  for (let round = 0; round < WARM_UPS; round += 1) {
    const attachment = newAttachment(host.containers.next());
    cell.operations.time("ADD", attachment);
    cell.operations.time("DEL", attachment);
  }
  cell.operations.time("ADD", newAttachment(host.containers.reserve()));
}

function sample(host: BenchHost, cell: Cell): void {
  const attachment = newAttachment(host.containers.next());
  waitForQuietMoment();
  cell.add.push(cell.operations.time("ADD", attachment));
  waitForQuietMoment();
  cell.del.push(cell.operations.time("DEL", attachment));
}

function sampleRounds(host: BenchHost, cells: readonly Cell[], rounds: number): void {
  for (const cell of cells) warmUp(host, cell);
  for (let round = 0; round < rounds; round += 1) {
    for (const cell of shuffled(cells, host.random)) sample(host, cell);
  }
}

const wall = (timings: readonly Timing[]) => timings.map(({ wallMs }) => wallMs);
const cpu = (timings: readonly Timing[]) => timings.map(({ cpuMs }) => cpuMs);

/** ADD and DEL one at a time, with and without masquerade. */
export function measureSequential(host: BenchHost, rounds: number): Figure[] {
  const sets = [true, false].map((masquerade) => ({
    masquerade,
    cells: SIDES.map((side) => newCell(host, side, masquerade)),
  }));
  sampleRounds(
    host,
    sets.flatMap(({ cells }) => cells),
    rounds,
  );
  return sets.flatMap((set) => RIVALS.flatMap((rival) => sequentialFigures(host.random, set, rival)));
}

interface CellSet {
  readonly masquerade: boolean;
  readonly cells: readonly Cell[];
}

function sequentialFigures(
  random: Random,
  { masquerade, cells }: CellSet,
  { side, mark }: (typeof RIVALS)[number],
): Figure[] {
  const [ours, reference] = [side, "reference"].map((wanted) => cells.find((cell) => cell.side === wanted));
  const suffix = `${masquerade ? "masquerade" : "no masquerade"}${mark}`;
  const samples = (pick: (cell: Cell) => number[]) => ({
    ours: ours ? pick(ours) : [],
    reference: reference ? pick(reference) : [],
  });
  const target = (atMost: number) => ({ random, ...(side === "ours" && { atMost }) });
  return [
    compare(
      `ADD, ${suffix}`,
      samples((cell) => wall(cell.add)),
      target(masquerade ? 0.35 : 0.8),
    ),
    compare(
      `ADD, ${suffix}: CPU`,
      samples((cell) => cpu(cell.add)),
      { random },
    ),
    compare(
      `DEL, ${suffix}`,
      samples((cell) => wall(cell.del)),
      target(masquerade ? 0.4 : 1.1),
    ),
    compare(
      `DEL, ${suffix}: CPU`,
      samples((cell) => cpu(cell.del)),
      { random },
    ),
  ];
}

/** Wall time of 50 ADDs, then of their 50 DELs, 16 at a time, with and without masquerade. */
export function measureConcurrent(host: BenchHost, repeats: number): Figure[] {
  const cells = SIDES.flatMap((side) =>
    [true, false].map((masquerade) => ({ masquerade, ...newCell(host, side, masquerade) })),
  );
  const walls = cells.map((cell) => ({ cell, add: [] as number[], del: [] as number[] }));
  for (const { cell } of walls) warmUp(host, cell);
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const { cell, add, del } of shuffled(walls, host.random)) {
      const attachments = host.containers.take(CONCURRENT_ATTACHMENTS).map(newAttachment);
      waitForQuietMoment();
      add.push(cell.operations.timeAll("ADD", attachments, CONCURRENT_WIDTH));
      waitForQuietMoment();
      del.push(cell.operations.timeAll("DEL", attachments, CONCURRENT_WIDTH));
    }
  }
  return [true, false].flatMap((masquerade) =>
    RIVALS.flatMap(({ side, mark }) => {
      const of = (wanted: Side) =>
        walls.find(({ cell }) => cell.side === wanted && cell.masquerade === masquerade);
      const samples = (verb: "add" | "del") => ({
        ours: of(side)?.[verb] ?? [],
        reference: of("reference")?.[verb] ?? [],
      });
      const suffix = `${CONCURRENT_ATTACHMENTS} concurrent, ${masquerade ? "masquerade" : "no masquerade"}${mark}`;
      const target = side === "ours" ? { atMost: masquerade ? 0.4 : 1 } : {};
      return [
        compare(`ADD × ${suffix}`, samples("add"), { random: host.random, ...target }),
        compare(`DEL × ${suffix}`, samples("del"), { random: host.random, ...target }),
      ];
    }),
  );
}

/** Largest growth of an ADD from an empty network to the fullest one. */
const LARGEST_GROWTH = 1.1;

/** ADD in networks that hold `leaseCounts` leases already (the first must be 0), without masquerade. */
export async function measureGrowth(
  host: BenchHost,
  leaseCounts: readonly number[],
  rounds: number,
): Promise<Figure[]> {
  const levels = leaseCounts.map((leases) => ({
    leases,
    ours: newCell(host, "ours", false),
    reference: newCell(host, "reference", false),
  }));
  for (const { leases, ours, reference } of levels) {
    for (const cell of [ours, reference])
      await cell.operations.contestant.addLeases(cell.operations.network, leases);
  }
  sampleRounds(
    host,
    levels.flatMap(({ ours, reference }) => [ours, reference]),
    rounds,
  );
  return [
    ...levels.map(({ leases, ours, reference }) => {
      const samples = { ours: wall(ours.add), reference: wall(reference.add) };
      return compare(`ADD with ${leases.toLocaleString("en")} leases in the network`, samples, {
        random: host.random,
      });
    }),
    ...LEVEL_SIDES.map((side) => growthFigure(host.random, side, levels)),
  ];
}

type LevelSide = Exclude<Side, "alone">;
const LEVEL_SIDES: readonly LevelSide[] = ["ours", "reference"];
type Level = { readonly leases: number } & Readonly<Record<LevelSide, Cell>>;

/** The fullest level over the empty one; the target is ours alone. */
function growthFigure(random: Random, side: LevelSide, levels: readonly Level[]): Figure {
  const [empty, full] = [levels[0], levels.at(-1)];
  if (empty === undefined || full === undefined)
    throw new RangeError("measureGrowth needs at least one lease count");
  const samples = { ours: wall(full[side].add), reference: wall(empty[side].add) };
  const name = `growth of ADD from 0 to ${full.leases.toLocaleString("en")} leases: ${side}`;
  return compare(name, samples, { random, ...(side === "ours" && { atMost: LARGEST_GROWTH }) });
}
