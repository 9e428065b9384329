/**
 * Docker 20.10 (Debian's docker.io) on a lab's host: an engine of its own in a network namespace of its own, with
 * everything it writes in the lab's folder.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab/lab.ts";
import {
  type CommandOutcome,
  command,
  Daemon,
  isExecutable,
  labEnvironment,
  tryCommand,
  waitUntil,
} from "../lab/lab-process.ts";
import { buildImages } from "./images.ts";

/** By their paths: another client may come first in PATH. */
const DOCKER = "/usr/bin/docker";
const DOCKERD = "/usr/sbin/dockerd";

const IMAGE = "fairlead-test:1";
/** A container that idles until it is told to end. */
const IDLE = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";

/** An unknown driver is looked for for 15 seconds. */
const COMMAND_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 60_000;

export class DockerEngine {
  readonly socket: string;
  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
    this.socket = join(lab.directory, "docker.sock");
  }

  /** Starts an engine in the host netns and waits until it serves; it ends with the lab. */
  static async start(lab: Lab): Promise<DockerEngine> {
    for (const program of [DOCKER, DOCKERD]) {
      if (!isExecutable(program))
        throw new Error(`${program} not found; install it with: apt-get install docker.io`);
    }
    const engine = new DockerEngine(lab);
    const state = lab.folder("docker");
    lab.defer("unmount what docker left", () => unmountBelow(lab.directory));
    const daemon = Daemon.start(
      lab.inHost(
        DOCKERD,
        ...["--data-root", join(state, "data"), "--exec-root", join(state, "exec")],
        ...["--pidfile", join(state, "pid"), "-H", `unix://${engine.socket}`],
      ),
      join(lab.directory, "dockerd.log"),
    );
    lab.defer("stop dockerd", () => daemon.stop());
    await daemon.waitUntilReady(async () => (await engine.try("version")).status === 0, START_TIMEOUT_MS);
    return engine;
  }

  /** Makes the image that {@link runContainer} starts, from the machine's busybox. */
  async importImage(): Promise<void> {
    await buildImages(this.#lab);
    await this.run("import", join(this.#lab.directory, "layer.tar"), IMAGE);
  }

  runContainer(name: string, network: string): Promise<string> {
    return this.run("run", "-d", "--name", name, "--net", network, IMAGE, "/bin/sh", "-c", IDLE);
  }

  removeContainer(name: string): Promise<string> {
    return this.run("rm", "-f", name);
  }

  /** @throws when it fails. */
  run(...args: readonly string[]): Promise<string> {
    return command(this.argv(args), this.#options());
  }

  try(...args: readonly string[]): Promise<CommandOutcome> {
    return tryCommand(this.argv(args), this.#options());
  }

  argv(args: readonly string[]): string[] {
    return [DOCKER, "-H", `unix://${this.socket}`, ...args];
  }

  #options() {
    const config = join(this.#lab.directory, "docker-config");
    mkdirSync(config, { recursive: true });
    return { env: { ...labEnvironment(), DOCKER_CONFIG: config }, timeoutMs: COMMAND_TIMEOUT_MS };
  }
}

/** Containers that were killed leave mounts behind, which keep their folders from being removed. */
async function unmountBelow(directory: string): Promise<void> {
  const mountsBelow = (): string[] =>
    readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .filter((path) => path.startsWith(`${directory}/`))
      .reverse();
  await waitUntil(async () => {
    for (const path of mountsBelow()) await tryCommand(["umount", "-l", path]);
    return mountsBelow().length === 0;
  }, 5_000);
}
