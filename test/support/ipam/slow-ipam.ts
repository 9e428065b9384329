/** Another socket of the IPAM service, on which every answer is late. */
import { connect, createServer, type Socket } from "node:net";

export interface SlowIpam {
  readonly socket: string;
  /** Connections so far. */
  readonly asked: number;
  close(): Promise<void>;
}

/** Listens at `path` and passes everything on to the service at `target`, `delayMs` after it came; never when that is null. */
export async function startSlowIpam(path: string, target: string, delayMs: number | null): Promise<SlowIpam> {
  const open = new Set<Socket>();
  let asked = 0;
  const server = createServer((client) => {
    asked += 1;
    open.add(client);
    client.on("error", () => {}).on("close", () => open.delete(client));
    if (delayMs === null) client.resume();
    else setTimeout(() => passOn(client), delayMs);
  });
  const passOn = (client: Socket): void => {
    const service = connect(target).on("error", () => client.destroy());
    client.pipe(service).pipe(client);
  };
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    socket: path,
    get asked() {
      return asked;
    },
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
