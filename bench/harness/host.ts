/**
 * The "host" that the plugins work on: a network namespace that this process runs in, with container namespaces made
 * ahead of any measurement; and how set-up and services on it are spoken to.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Longest that one set-up command may take. */
const COMMAND_TIMEOUT_MS = 30_000;
const ANSWER_LIMIT_MS = 10_000;

/** Runs a set-up command. @throws with its stderr when it fails. */
export function run(file: string, ...args: readonly string[]): string {
  return execFileSync(file, args, {
    encoding: "utf8",
    timeout: COMMAND_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Path of a named network namespace, as CNI_NETNS holds it. */
export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

/** Network namespaces with their loopback up, that play containers. {@link deleteNetns} takes them away. */
export class ContainerPool {
  readonly #prefix: string;
  readonly #names: string[] = [];
  readonly #reserved: string[] = [];
  #next = 0;

  constructor(prefix: string, count: number) {
    this.#prefix = prefix;
    for (let index = 0; index < count; index += 1) this.#names.push(this.#make(`c${index}`));
  }

  /** Path of the next namespace, in turn: the kernel has long finished with what it held before. */
  next(): string {
    const name = this.#names[this.#next % this.#names.length] ?? "";
    this.#next += 1;
    return netnsPath(name);
  }

  /** Paths of `count` different namespaces. */
  take(count: number): string[] {
    if (count > this.#names.length)
      throw new RangeError(`${count} of ${this.#names.length} network namespaces`);
    return Array.from({ length: count }, () => this.next());
  }

  /** Path of a new namespace that nobody else gets. */
  reserve(): string {
    const name = this.#make(`r${this.#reserved.length}`);
    this.#reserved.push(name);
    return netnsPath(name);
  }

  #make(suffix: string): string {
    const name = `${this.#prefix}-${suffix}`;
    run("ip", "netns", "add", name);
    run("ip", "-n", name, "link", "set", "lo", "up");
    return name;
  }
}

/** Deletes every named network namespace whose name starts with `prefix`. */
export function deleteNetns(prefix: string): void {
  const names = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  for (const name of names.filter((each) => each.startsWith(prefix))) run("ip", "netns", "del", name);
}

/** Asks `probe` until it is true. @throws when it is not within `timeoutMs`. */
export async function waitUntil(what: string, probe: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!probe()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
}

/** What a service on a unix socket answers to a GET. @throws for any status but 200, and when it keeps silent. */
export function fetchText(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, timeout: ANSWER_LIMIT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () =>
        response.statusCode === 200
          ? resolve(text)
          : reject(new Error(`GET ${path}: ${response.statusCode} ${text}`)),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`GET ${path}: no answer in ${ANSWER_LIMIT_MS} ms`)));
    sent.on("error", reject).end();
  });
}
