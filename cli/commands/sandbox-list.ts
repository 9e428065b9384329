/** What `fairlead sandbox ls` and `inspect` do. */
import { ResultCache } from "../../lib/runtime/cache.ts";
import type { Io } from "../io.ts";
import { formatJson } from "../output/json.ts";
import { type Column, formatTable } from "../output/table.ts";
import { formatInstant } from "../output/time.ts";
import { type InspectedSandbox, inspectSandbox } from "../sandbox/inspect.ts";
import { SandboxRegistry } from "../sandbox/registry.ts";
import { requireSandbox } from "../sandbox/require.ts";
import type { InspectInput, ListInput } from "./sandbox-options.ts";

const SHORT_ID = 12;

const columns = (wholeIds: boolean): readonly Column<InspectedSandbox>[] => [
  { heading: "SANDBOX ID", value: ({ Id }) => (wholeIds ? Id : Id.slice(0, SHORT_ID)) },
  { heading: "NAME", value: ({ Name }) => Name },
  { heading: "STATE", value: ({ State }) => State },
  { heading: "NETWORKS", value: networksOf, cut: true },
  { heading: "ADDRESSES", value: addressesOf },
  { heading: "CREATED", value: ({ Created }) => formatInstant(Created) },
];

function networksOf({ Networks, NetworkMode }: InspectedSandbox): string {
  const names = Object.keys(Networks);
  return names.length > 0 || NetworkMode === "own" ? names.join(",") : NetworkMode;
}

function addressesOf({ Networks }: InspectedSandbox): string {
  const all = Object.values(Networks).flatMap((network) => [network.IPAddress, network.GlobalIPv6Address]);
  return all.filter((address) => address !== "").join(",");
}

export async function runList({ options }: ListInput, io: Io): Promise<number> {
  const { json, quiet, "no-trunc": wholeIds } = options;
  const cache = new ResultCache(options["cni-cache-dir"]);
  const records = new SandboxRegistry(options["run-dir"]).list();
  const sandboxes = records.map((record) => inspectSandbox(cache, record));
  if (json) await io.out(formatJson(sandboxes));
  else if (quiet)
    await io.out(sandboxes.map(({ Id }) => `${wholeIds ? Id : Id.slice(0, SHORT_ID)}\n`).join(""));
  else await io.out(formatTable(columns(wholeIds), sandboxes, wholeIds ? null : io.columns));
  return 0;
}

export async function runInspect({ args, options }: InspectInput, io: Io): Promise<number> {
  const cache = new ResultCache(options["cni-cache-dir"]);
  const registry = new SandboxRegistry(options["run-dir"]);
  const sandboxes = args.map((reference) => inspectSandbox(cache, requireSandbox(registry, reference)));
  await io.out(formatJson(sandboxes));
  return 0;
}
