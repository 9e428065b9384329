/** Service and agent over the runtime's own HTTP client: for Node, and for tests that serve in their own process. */
import { request } from "node:http";
import { errorFromJson, FairleadError } from "../lib/errors.ts";
import { AGENT_PATHS, type SyncAnswer } from "../lib/rpc/agent-api.ts";
import { createHttpClient } from "../lib/rpc/http-client.ts";
import type { Connections } from "./service.ts";

export const httpConnections: Connections = {
  service: (socket) => {
    const client = createHttpClient({ endpoint: { socket } });
    return { service: client, close: () => client.close() };
  },
  agent: (socket) => ({ sync: () => sync(socket) }),
};

function sync(socket: string): Promise<SyncAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: socket, method: "POST", path: AGENT_PATHS.sync }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as SyncAnswer);
        else reject(errorFromJson((JSON.parse(text) as { error?: unknown }).error));
      });
    });
    sent.on("error", (cause: Error) => reject(unavailable(socket, cause)));
    sent.end();
  });
}

function unavailable(socket: string, cause: Error): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: "talk to",
    object: socket,
    reason: cause.message,
    hint: "start the agent: `fairlead agent` or `fairlead dev`",
    cause,
  });
}
