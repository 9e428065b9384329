/** The agent's metrics in the Prometheus text format: its status as numbers. */
import { Gauge, Registry } from "prom-client";
import { collectProcessMetrics } from "../../lib/daemon/process-metrics.ts";
import type { AgentPartStatus, AgentStatus } from "../../lib/rpc/agent-api.ts";

export interface AgentMetrics {
  readonly contentType: string;
  render(status: AgentStatus): Promise<string>;
}

const SEVERITIES = ["error", "warning"] as const;

export function createAgentMetrics(): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectProcessMetrics(registry);
  const connected = new Gauge({
    name: "fairlead_agent_service_connected",
    help: "1 while the IPAM service can be reached",
    registers,
  });
  const revision = new Gauge({
    name: "fairlead_agent_revision",
    help: "Revision of the last event of the service that was seen",
    registers,
  });
  const problems = new Gauge({
    name: "fairlead_agent_problems",
    help: "What is not as it should be, by part and severity; see: fairlead agent --status",
    labelNames: ["part", "severity"] as const,
    registers,
  });
  const figures = new Gauge({
    name: "fairlead_agent_figure",
    help: "Counters since the start and present sizes of a part, under the names of `fairlead agent --status --json`",
    labelNames: ["part", "figure"] as const,
    registers,
  });
  const takePart = ({ name: part, problems: found, figures: counted }: AgentPartStatus): void => {
    for (const severity of SEVERITIES) {
      problems.set({ part, severity }, found.filter((problem) => problem.severity === severity).length);
    }
    for (const [figure, value] of Object.entries(counted)) figures.set({ part, figure }, value);
  };
  return {
    contentType: registry.contentType,
    render: ({ service, parts }) => {
      connected.set(service.connected ? 1 : 0);
      revision.set(service.revision);
      parts.forEach(takePart);
      return registry.metrics();
    },
  };
}
