/** Opens and closes the connection of a command. */
import type { Io } from "./io.ts";
import type { CliService, Connections } from "./service.ts";

export async function connectionsOf(io: Io): Promise<Connections> {
  return io.connections ?? (await import("./service-http.ts")).httpConnections;
}

/** Runs `body` with the service at `socket`. */
export async function withService<T>(
  io: Io,
  socket: string,
  body: (service: CliService) => Promise<T>,
): Promise<T> {
  const { service, close } = (await connectionsOf(io)).service(socket);
  try {
    return await body(service);
  } finally {
    close();
  }
}
