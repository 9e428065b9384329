/** Another socket of the IPAM service, on which some answers are kept back: what it has done is durable, and nobody knows of it. */
import { connect, createServer, type Socket } from "node:net";
import { until } from "../lab/lab-process.ts";

export interface HeldAnswers {
  readonly socket: string;
  /** Resolves when an answer lies here. */
  held(): Promise<void>;
  /** Passes on what was kept back, and from now on everything at once. */
  letGo(): void;
  /** Breaks off all connections, as the end of the service does, and from now on passes everything on at once. */
  breakOff(): void;
  close(): Promise<void>;
}

interface Held {
  readonly client: Socket;
  readonly answer: Buffer;
}

/** Listens at `path` for the service at `target`, and keeps back the answers that hold `text`. */
export async function startHeldAnswers(path: string, target: string, text: string): Promise<HeldAnswers> {
  const held: Held[] = [];
  const open = new Set<Socket>();
  let isHolding = true;
  const server = createServer((client) => {
    const service = connect(target).on("error", () => client.destroy());
    for (const socket of [client, service]) {
      open.add(socket);
      socket.on("error", () => {}).on("close", () => open.delete(socket));
    }
    client.pipe(service);
    service.on("close", () => client.destroySoon());
    service.on("data", (answer: Buffer) => {
      if (isHolding && answer.includes(text)) held.push({ client, answer });
      else client.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const breakOff = (): void => {
    isHolding = false;
    for (const socket of open) socket.destroy();
  };
  return {
    socket: path,
    held: () => until(async () => held.length > 0),
    letGo: () => {
      isHolding = false;
      for (const { client, answer } of held.splice(0)) client.write(answer);
    },
    breakOff,
    close: () => {
      breakOff();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
