import { Registry } from "prom-client";
import { VERSION } from "../version.ts";
import { collectProcessMetrics, runtimeOf } from "./process-metrics.ts";

test("says nothing that only another runtime would know", async () => {
  const registry = new Registry();
  collectProcessMetrics(registry, "bun 1.4.5");
  const names = registry.getMetricsAsArray().map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["process_resident_memory_bytes", "process_open_fds"]));
  expect(names).toContain("nodejs_eventloop_lag_p99_seconds");
  expect(names.filter((name) => /heap|nodejs_version|active|external/.test(name))).toEqual([]);
  expect(await registry.metrics()).toContain(
    `fairlead_build_info{version="${VERSION}",runtime="bun 1.4.5"} 1`,
  );
});

test("knows what it runs on", () => {
  expect(runtimeOf({ node: "26.3.0", bun: "1.4.5" })).toBe("bun 1.4.5");
  expect(runtimeOf({ node: "26.10.0" })).toBe("node 26.10.0");
});
