/**
 * The "host" that the plugins work on: a network namespace that this process runs in, with container namespaces made
 * ahead of any measurement.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Longest that one set-up command may take. */
const COMMAND_TIMEOUT_MS = 30_000;

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
