import type { AgentStatus } from "../../lib/rpc/agent-api.ts";
import { createAgentMetrics } from "./metrics.ts";

const STATUS: AgentStatus = {
  version: "0.2.0",
  nodeName: "n1",
  startedAt: "2026-01-01T00:00:00.000Z",
  service: { connected: true, revision: 17, reason: "" },
  parts: [
    { name: "dns", problems: [{ severity: "error", object: "web", message: "x" }], figures: { received: 3 } },
    { name: "reaper", problems: [], figures: {} },
  ],
};

test("shows the status as numbers, and that a problem is over", async () => {
  const metrics = createAgentMetrics();
  const text = await metrics.render(STATUS);
  expect(text).toContain("fairlead_agent_service_connected 1\n");
  expect(text).toContain("fairlead_agent_revision 17\n");
  expect(text).toContain('fairlead_agent_problems{part="dns",severity="error"} 1\n');
  expect(text).toContain('fairlead_agent_problems{part="reaper",severity="error"} 0\n');
  expect(text).toContain('fairlead_agent_figure{part="dns",figure="received"} 3\n');
  const [dns, ...others] = STATUS.parts;
  const parts = [{ ...dns, name: "dns", problems: [], figures: { received: 4 } }, ...others];
  const later = await metrics.render({ ...STATUS, service: { ...STATUS.service, connected: false }, parts });
  expect(later).toContain("fairlead_agent_service_connected 0\n");
  expect(later).toContain('fairlead_agent_problems{part="dns",severity="error"} 0\n');
});
