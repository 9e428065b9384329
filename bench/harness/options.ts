/** The command line of the benchmark. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export interface Options {
  /** Folder of the reference's `bridge` and `host-local`. */
  readonly reference: string;
  /** Folder of our executables. */
  readonly bin: string;
  /** Where the figures go as JSON; empty for nowhere. */
  readonly json: string;
  /** Few rounds: shows that everything works, not how fast it is. */
  readonly quick: boolean;
  /** The reference against itself: every ratio must come out near 1. */
  readonly selfCheck: boolean;
  readonly seed: number;
  /** Resident plugin workers. */
  readonly workers: number;
  /** Parts of the names of the steps to do; empty: all. */
  readonly only: readonly string[];
}

export const USAGE = `usage: bench [--reference DIR] [--json FILE] [--quick] [--self-check] [--bin DIR] [--seed N]
             [--workers N] [--only STEP,…]
       bench --networks [--json FILE] [--quick] [--bin DIR] [--seed N]
       bench --leases [--json FILE] [--quick] [--bin DIR]

  --reference DIR  the Go plugins to compare with (default /usr/lib/cni, Debian's containernetworking-plugins)
  --json FILE      write the figures there as well
  --quick          few rounds, under a minute: shows that it works
  --self-check     the reference against itself, to see what the harness alone does to the ratios
  --bin DIR        our executables (default dist/bin)
  --seed N         order of the samples (default: the time)
  --workers N      resident plugin workers (default 4)
  --networks       fairlead network create, connect, disconnect, rm beside Docker 20.10's, instead of the plugins
  --leases         what an acquire waits for while 150,000 leases are read, instead
  --only STEP,…    steps whose names contain one of these words: sequential, concurrent, ports, growth, start, memory, service`;

/** @throws TypeError for an option that there is not. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      reference: { type: "string", default: "/usr/lib/cni" },
      bin: { type: "string", default: join(import.meta.dirname, "../../dist/bin") },
      json: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      workers: { type: "string", default: "4" },
      only: { type: "string", default: "" },
      "self-check": { type: "boolean", default: false },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  });
  const { reference, bin, json, quick, seed, workers, only, "self-check": selfCheck } = values;
  return {
    reference: resolve(reference),
    bin: resolve(bin),
    json: json && resolve(json),
    quick,
    selfCheck,
    seed: Number(seed),
    workers: Number(workers),
    only: only === "" ? [] : only.split(","),
  };
}
