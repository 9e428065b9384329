/** The packaged executable, called as a runtime calls a plugin. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../lab/lab-plugins.ts";
import { requireTools } from "../lab/lab-process.ts";
import { answerOf, ScriptedWorker, type Step, TAKE } from "./scripted-worker.ts";

export interface Call {
  readonly plugin?: string;
  readonly verb?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Text of the configuration, or what stands for stdin. */
  readonly stdin?: string | Uint8Array | number;
  readonly stdout?: number;
  readonly wrapper?: readonly string[];
  /** Bytes of stdin are written one after the other, with a pause between them. */
  readonly isSlow?: boolean;
}

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const ATTACHMENT = { CNI_CONTAINERID: "c1", CNI_NETNS: "/nonexistent", CNI_IFNAME: "eth0" };

/** Calls of the executable, whose front finds a worker beside the service's socket in `directory`. */
class FrontCaller {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Keys in their usual order; `ipam.socket` leads to the worker. */
  config(keys: object = {}, ipam: object = {}): string {
    const socket = join(this.#directory, "fairlead.sock");
    const own = { cniVersion: "0.3.1", name: "net", type: "fairlead-static" };
    return JSON.stringify({ ...own, ipam: { type: "fairlead-static", socket, ...ipam }, ...keys });
  }

  call({
    plugin = "fairlead-static",
    verb = "FOO",
    env = {},
    stdin = this.config(),
    stdout,
    wrapper = [],
    isSlow = false,
  }: Call): Promise<Outcome> {
    const [file = "", ...args] = [...wrapper, join(FAIRLEAD_DIRECTORY, plugin)];
    const variables = { ...ATTACHMENT, ...(verb !== "" && { CNI_COMMAND: verb }), ...env };
    const stdio = [typeof stdin === "number" ? stdin : "pipe", stdout ?? "pipe", "pipe"] as const;
    const child = spawn(file, args, { env: variables, stdio: [...stdio] });
    const output: Buffer[] = [];
    const log: Buffer[] = [];
    child.stdout?.on("data", (bytes) => output.push(bytes));
    child.stderr?.on("data", (bytes) => log.push(bytes));
    child.stdin?.on("error", () => {});
    if (typeof stdin !== "number") void feed(child.stdin, Buffer.from(stdin), isSlow);
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) =>
        resolve({ status, stdout: Buffer.concat(output).toString(), stderr: Buffer.concat(log).toString() }),
      );
    });
  }
}

async function feed(stream: NodeJS.WritableStream | null, bytes: Buffer, isSlow: boolean): Promise<void> {
  const middle = isSlow ? bytes.length >> 1 : 0;
  if (isSlow) {
    stream?.write(bytes.subarray(0, middle));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  stream?.end(bytes.subarray(middle));
}

interface FrontScene {
  readonly directory: string;
  /** Listens in `directory`. */
  readonly worker: ScriptedWorker;
  /** Its calls find `worker`. */
  readonly caller: FrontCaller;
}

/** Registers the hooks; to be called once at the top of a test file. What it returns is filled before the first test. */
export function useFront(): FrontScene {
  const scene = {} as { -readonly [Key in keyof FrontScene]: FrontScene[Key] };
  beforeAll(async () => {
    requireFairlead();
    requireTools("strace");
    scene.directory = mkdtempSync(join(tmpdir(), "front-"));
    scene.caller = new FrontCaller(scene.directory);
    scene.worker = await ScriptedWorker.listen(join(scene.directory, "plugin-worker.sock"));
  });
  afterAll(async () => {
    await scene.worker.close();
    rmSync(scene.directory, { recursive: true });
  });
  return scene;
}

export const UNKNOWN_VERB = { status: 1, stdout: expect.stringContaining("unknown CNI_COMMAND: FOO") };
export const BY_WORKER = { status: 7, stdout: "by the worker", stderr: "" };
export const ANSWER: readonly Step[] = [TAKE, { send: answerOf({ exitCode: 7, stdout: "by the worker" }) }];
