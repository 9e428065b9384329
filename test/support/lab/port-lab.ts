/** Servers and clients of published ports, in the namespaces of a lab. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { inNetns, type Lab } from "./lab.ts";
import { labEnvironment, tryCommand } from "./lab-process.ts";

const SERVER = join(__dirname, "../traffic/port-server.ts");

/** Starts a server in a netns that answers on the ports until the lab closes. */
export async function startServer(
  lab: Lab,
  netns: string,
  { name, ports }: { readonly name: string; readonly ports: readonly number[] },
): Promise<void> {
  const program = [process.execPath, "--no-warnings", SERVER, name, ...ports.map(String)];
  const [file = "", ...args] = inNetns(netns, ...program);
  const child = spawn(file, args, { env: labEnvironment(), stdio: ["pipe", "pipe", "inherit"] });
  lab.defer(`stop server ${name}`, async () => child.stdin.end());
  await new Promise((resolve, reject) => {
    child.stdout.once("data", resolve);
    child.once("exit", (status) => reject(new Error(`server ${name} ended with status ${status}`)));
  });
}

/** Sends from one source port again and again, as a client that never begins anew. Python's sockets are bare enough. */
const CLIENT = `
import socket, sys
protocol, host, port, source = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
s.settimeout(1.5)
if source: s.bind(("", source))
for attempt in range(1 if protocol == "tcp" else 2):
    try:
        s.connect((host, port))
        if protocol == "udp": s.send(b"?")
        sys.stdout.write(s.recv(200).decode())
        break
    except OSError as problem:
        sys.stdout.write("" if attempt == 0 and protocol == "udp" else type(problem).__name__)
`;

export interface Question {
  readonly protocol?: "tcp" | "udp";
  readonly host: string;
  readonly port: number;
  /** Port to send from. Default: any. */
  readonly from?: number;
}

/** What clients say when nobody answers, or the port is closed. */
export const NO_ANSWER = /^(timeout|TimeoutError|ConnectionRefusedError|OSError)?$/;

/** What a client in the netns hears: the server's name and the client's address as the server sees it; or the error. */
export async function askOnce(
  netns: string,
  { protocol = "tcp", host, port, from = 0 }: Question,
): Promise<string> {
  const client = ["python3", "-c", CLIENT, protocol, host, `${port}`, `${from}`];
  return (await tryCommand(inNetns(netns, ...client), { timeoutMs: 10_000 })).stdout.trim();
}

/** Like {@link askOnce}, up to three times: a neighbour may still be being resolved, a machine be busy. */
export async function ask(netns: string, question: Question): Promise<string> {
  for (let attempt = 1; attempt < 3; attempt++) {
    const heard = await askOnce(netns, question);
    if (!NO_ANSWER.test(heard)) return heard;
  }
  return askOnce(netns, question);
}
