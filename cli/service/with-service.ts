/** Whom a command speaks to: the service, and the agent of this node. */
import type { Io } from "../base/io.ts";
import type { CliAgent, CliService, OpenService } from "../base/service.ts";

/** The agent at `socket`. */
export async function agentOf(io: Io, socket: string): Promise<CliAgent> {
  if (io.connections !== undefined) return io.connections.agent(socket);
  const { directAgent } = await import("./agent-direct.ts");
  return directAgent(socket, (what) => io.onSlow?.(what));
}

async function serviceOf(io: Io, socket: string): Promise<OpenService> {
  if (io.connections !== undefined) return io.connections.service(socket);
  const { httpService } = await import("./service-http.ts");
  return httpService(socket, (what) => io.onSlow?.(what));
}

/** Runs `body` with the service at `socket`. */
export async function withService<T>(
  io: Io,
  socket: string,
  body: (service: CliService) => Promise<T>,
): Promise<T> {
  const { service, close } = await serviceOf(io, socket);
  try {
    return await body(service);
  } finally {
    close();
  }
}
