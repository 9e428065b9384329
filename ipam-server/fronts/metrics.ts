/**
 * Metrics in the Prometheus text format.
 *
 * Labels have few values: operations, statuses and states are fixed sets, and pools are told apart only in
 * the first {@link POOL_METRICS_NETWORKS} networks. Containers, addresses and paths never become labels.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { collectProcessMetrics } from "../../lib/daemon/process-metrics.ts";
import type { Caller, IpamService, LeaseState, PoolUsage } from "../../lib/ipam/api.ts";
import { GroupMetrics } from "./group-metrics.ts";

/** Networks, in the order of their names, whose pools are measured one by one. */
const POOL_METRICS_NETWORKS = 500;

const LATENCY_BUCKETS_SECONDS = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** On whose behalf metrics are read; reading leaves no trace. */
const METRICS_CALLER: Caller = { actor: "metrics", node: "" };

export type RequestOutcome = (status: string, seconds: number) => void;

export interface Metrics {
  /** What to call when a request of `operation` has been answered. Look it up once, not per request. */
  requestOutcome(front: "http" | "grpc", operation: string): RequestOutcome;
  readonly contentType: string;
  /** Reads everything from the service; one read at a time. */
  render(): Promise<string>;
}

/** @param groups measured by the service: see {@link GroupMetrics}. */
export function createMetrics(service: IpamService, groups = new GroupMetrics()): Metrics {
  const registry = new Registry();
  collectProcessMetrics(registry);
  groups.registerIn(registry);
  const readService = serviceGauges(registry, service);
  const readPools = poolGauge(registry, service);
  return {
    requestOutcome: requestMetrics(registry),
    contentType: registry.contentType,
    async render() {
      await readService();
      await readPools();
      return renderInPieces(registry);
    },
  };
}

/** A metric at a time, with a turn of the event loop between two: nobody's change waits for all of them. */
async function renderInPieces(registry: Registry): Promise<string> {
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    texts.push(await registry.getSingleMetricAsString(name));
    await nextTurn();
  }
  return `${texts.join("\n\n")}\n`;
}

function requestMetrics(registry: Registry): Metrics["requestOutcome"] {
  const total = new Counter({
    name: "fairlead_requests_total",
    help: "Requests answered, by front, operation and status",
    labelNames: ["front", "operation", "status"] as const,
    registers: [registry],
  });
  const latency = new Histogram({
    name: "fairlead_request_seconds",
    help: "Time from the arrival of a request to its answer",
    labelNames: ["front", "operation"] as const,
    buckets: LATENCY_BUCKETS_SECONDS,
    registers: [registry],
  });
  return (front, operation) => {
    const observer = latency.labels(front, operation);
    const counters = new Map<string, { inc(): void }>();
    return (status, seconds) => {
      const counter = counters.get(status) ?? total.labels(front, operation, status);
      counters.set(status, counter);
      counter.inc();
      observer.observe(seconds);
    };
  };
}

/** Returns the function that reads the service into the gauges. */
function serviceGauges(registry: Registry, service: IpamService): () => Promise<void> {
  const registers = [registry];
  const networks = new Gauge({ name: "fairlead_networks", help: "Networks", registers });
  const revision = new Gauge({ name: "fairlead_revision", help: "Revision of the newest event", registers });
  const epoch = new Gauge({ name: "fairlead_epoch", help: "Times that the store was opened", registers });
  const leases = new Gauge({
    name: "fairlead_leases",
    help: "Addresses that are not free, by state",
    labelNames: ["state"] as const,
    registers,
  });
  return async () => {
    const info = await service.info();
    for (const [state, count] of Object.entries(info.leases) as [LeaseState, number][]) {
      leases.set({ state }, count);
    }
    networks.set(info.networks);
    revision.set(info.revision);
    epoch.set(info.epoch);
  };
}

function poolGauge(registry: Registry, service: IpamService): () => Promise<void> {
  const gauge = new Gauge({
    name: "fairlead_pool_addresses",
    help: `Addresses of a pool, by state; of the first ${POOL_METRICS_NETWORKS} networks`,
    labelNames: ["network", "pool", "family", "state"] as const,
    registers: [registry],
  });
  return async () => {
    gauge.reset();
    const networks = (await service.listNetworks()).slice(0, POOL_METRICS_NETWORKS);
    for (const { name } of networks) {
      const { pools } = await service.networkStatus({ networkName: name }, METRICS_CALLER);
      for (const usage of pools) {
        const labels = { network: name, pool: String(usage.pool), family: String(usage.family) };
        for (const [state, count] of addressCounts(usage)) gauge.set({ ...labels, state }, count);
      }
    }
  };
}

/** Counts of an IPv6 pool exceed 2^53: a gauge holds them to 53 bits, which is what a graph can show. */
function addressCounts(usage: PoolUsage): [string, number][] {
  const { bound, cooling, quarantined } = usage;
  return [
    ["bound", bound],
    ["cooling", cooling],
    ["quarantined", quarantined],
    ["withheld", Number(usage.withheld)],
    ["free", Number(usage.free)],
  ];
}
