/**
 * Metrics of a daemon's own process: those that mean on every runtime what their names say.
 *
 * The library's default set is for Node.js. Under another runtime parts of it are made up: a heap larger than the process
 * (`process_heap_bytes` counts address space that is only reserved), spaces of a garbage collector that is not there, the version
 * of a Node.js that nothing runs on. Those are left out, and what the process runs on is said by `fairlead_build_info`.
 */
import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";
import { VERSION } from "../version.ts";

const SOUND = /^(process_(?!heap_bytes)|nodejs_eventloop_lag_)/;

/** Adds them to a registry. `runtime` is for tests; by default what this process runs on. */
export function collectProcessMetrics(registry: Registry, runtime = runtimeOf(process.versions)): void {
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!SOUND.test(name)) registry.removeSingleMetric(name);
  }
  const build = new Gauge({
    name: "fairlead_build_info",
    help: "Always 1; its labels are the versions of Fairlead and of what it runs on",
    labelNames: ["version", "runtime"] as const,
    registers: [registry],
  });
  build.set({ version: VERSION, runtime }, 1);
}

/** `bun 1.4.5`, or `node 26.10.0`. Bun says that it is a Node.js, too. */
export function runtimeOf(versions: Readonly<Record<string, string | undefined>>): string {
  const bun = versions["bun"];
  return bun === undefined ? `node ${versions["node"] ?? ""}` : `bun ${bun}`;
}
