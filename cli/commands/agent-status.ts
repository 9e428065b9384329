/** What `fairlead agent --status` does: asks the agent that runs, and prints what it says. */
import { loadAgentConfig, parseAgentConfig } from "../../agent/main.ts";
import type { AgentStatus } from "../../lib/rpc/agent-api.ts";
import { createAgentClient } from "../../lib/rpc/agent-client.ts";
import type { Io } from "../base/io.ts";
import { formatJson } from "../output/json.ts";
import { formatTable } from "../output/table.ts";

/** Returns 1 when something does not work. @throws unavailable when no agent runs */
export async function showAgentStatus(
  { config: file }: { readonly config?: string },
  { json }: { readonly json: boolean },
  io: Io,
): Promise<number> {
  const { socket } = file === undefined ? parseAgentConfig("", "defaults") : loadAgentConfig(file);
  const status = await createAgentClient({ socket }).status();
  await io.out(json ? formatJson(status) : describe(status, io.columns));
  return isWell(status) ? 0 : 1;
}

function isWell({ service, parts }: AgentStatus): boolean {
  const problems = parts.flatMap((part) => part.problems);
  return service.connected && problems.every(({ severity }) => severity !== "error");
}

interface Row {
  readonly part: string;
  readonly state: string;
  readonly object: string;
  readonly message: string;
}

function describe(
  { version, nodeName, startedAt, service, parts }: AgentStatus,
  width: number | null,
): string {
  const rows = parts.flatMap(({ name, problems }): Row[] =>
    problems.length === 0
      ? [{ part: name, state: "ok", object: "", message: "" }]
      : problems.map(({ severity, object, message }) => ({ part: name, state: severity, object, message })),
  );
  const connected = service.connected ? `seen up to event ${service.revision}` : service.reason;
  const table = formatTable<Row>(
    [
      { heading: "PART", value: ({ part }) => part },
      { heading: "STATE", value: ({ state }) => state },
      { heading: "ABOUT", value: ({ object }) => object, cut: "text" },
      { heading: "MESSAGE", value: ({ message }) => message, cut: "wrap" },
    ],
    rows,
    width,
  );
  return `agent ${version} of node ${nodeName}, since ${startedAt}\nservice: ${connected}\n\n${table}`;
}
