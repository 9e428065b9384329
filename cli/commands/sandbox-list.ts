/** What `fairlead sandbox ls` and `inspect` do. */
import { ResultCache } from "../../lib/runtime/cache.ts";
import type { Io } from "../base/io.ts";
import { formatJson } from "../output/json.ts";
import { type Column, formatTable } from "../output/table.ts";
import { formatInstant } from "../output/time.ts";
import { type InspectedSandbox, inspectSandbox } from "../sandbox/inspect.ts";
import { sandboxJson } from "../sandbox/json.ts";
import { formatPorts, publishedPorts } from "../sandbox/ports/ports.ts";
import { type SandboxRecord, SandboxRegistry } from "../sandbox/registry.ts";
import { requireSandbox } from "../sandbox/require.ts";
import type { InspectInput, ListInput } from "./sandbox-options.ts";

const SHORT_ID = 12;

interface Row {
  readonly sandbox: InspectedSandbox;
  readonly ports: readonly string[];
}

const columns = (wholeIds: boolean): readonly Column<Row>[] => [
  { heading: "SANDBOX ID", value: ({ sandbox: { Id } }) => (wholeIds ? Id : Id.slice(0, SHORT_ID)) },
  { heading: "NAME", value: ({ sandbox }) => sandbox.Name, cut: "text" },
  { heading: "STATE", value: ({ sandbox }) => sandbox.State },
  { heading: "NETWORKS", value: ({ sandbox }) => networksOf(sandbox), cut: "text" },
  { heading: "ADDRESSES", value: ({ sandbox }) => addressesOf(sandbox), cut: "items" },
  { heading: "PORTS", value: ({ ports }) => ports.join(" "), cut: "items" },
  { heading: "CREATED", value: ({ sandbox }) => formatInstant(sandbox.Created), drop: 1 },
];

function networksOf({ Networks, NetworkMode }: InspectedSandbox): string {
  const names = Object.keys(Networks);
  return names.length > 0 || NetworkMode === "own" ? names.join(",") : NetworkMode;
}

function addressesOf({ Networks }: InspectedSandbox): string {
  const all = Object.values(Networks).flatMap((network) => [network.IPAddress, network.GlobalIPv6Address]);
  return all.filter((address) => address !== "").join(" ");
}

function rowOf(cache: ResultCache, record: SandboxRecord): Row {
  const ports = formatPorts(publishedPorts(cache.list(record.id)), record.exposedPorts);
  return { sandbox: inspectSandbox(cache, record), ports };
}

export async function runList({ options }: ListInput, io: Io): Promise<number> {
  const { json, quiet, "no-trunc": wholeIds } = options;
  const cache = new ResultCache(options["cni-cache-dir"]);
  const records = new SandboxRegistry(options["run-dir"]).list();
  const rows = records.map((record) => rowOf(cache, record));
  if (json) await io.out(formatJson({ sandboxes: records.map((record) => sandboxJson(cache, record)) }));
  else if (quiet)
    await io.out(rows.map(({ sandbox: { Id } }) => `${wholeIds ? Id : Id.slice(0, SHORT_ID)}\n`).join(""));
  else await io.out(formatTable(columns(wholeIds), rows, wholeIds ? null : io.columns));
  return 0;
}

export async function runInspect({ args, options }: InspectInput, io: Io): Promise<number> {
  const { json } = options;
  const cache = new ResultCache(options["cni-cache-dir"]);
  const registry = new SandboxRegistry(options["run-dir"]);
  const records = args.map((reference) => requireSandbox(registry, reference));
  if (json) await io.out(formatJson({ sandboxes: records.map((record) => sandboxJson(cache, record)) }));
  else await io.out(formatJson(records.map((record) => inspectSandbox(cache, record))));
  return 0;
}
