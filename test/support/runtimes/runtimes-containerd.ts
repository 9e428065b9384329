/**
 * A private containerd on a lab's host, with its own root, state and socket, and `ctr`, its command line.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab/lab.ts";
import { command, Daemon, requireTools, tryCommand } from "../lab/lab-process.ts";
import { buildImages } from "./images.ts";

/** containerd's own namespaces: of `ctr` and of the CRI. */
const CONTAINERD_NAMESPACES = ["default", "k8s.io"] as const;

export interface ContainerdOptions {
  /** The one folder with every plugin. */
  readonly pluginFolder: string;
  readonly conflistFolder: string;
  readonly pauseImage: string;
}

export class Containerd {
  readonly socket: string;
  readonly #lab: Lab;
  readonly #options: ContainerdOptions;

  private constructor(lab: Lab, options: ContainerdOptions) {
    this.#lab = lab;
    this.#options = options;
    this.socket = join(lab.directory, "containerd.sock");
  }

  /** Starts it in the host netns and imports the images; it ends, with every container, with the lab. */
  static async start(lab: Lab, options: ContainerdOptions): Promise<Containerd> {
    requireTools("containerd", "ctr", "runc", "nft", "unshare", "umount");
    const containerd = new Containerd(lab, options);
    const config = lab.file("containerd.toml", containerd.#configuration());
    const argv = lab.inHost("containerd", "-c", config);
    lab.defer("unmount containerd's file systems", () => unmountBelow(lab.directory));
    const daemon = Daemon.start(argv, join(lab.directory, "containerd.log"));
    lab.defer("stop containerd", () => containerd.#stop(daemon));
    await daemon.waitUntilReady(() => containerd.#answers());
    const images = await buildImages(lab);
    for (const namespace of CONTAINERD_NAMESPACES)
      await containerd.ctr(["-n", namespace, "images", "import", images]);
    return containerd;
  }

  /** Runs `ctr`. @throws when it fails. */
  ctr(args: readonly string[]): Promise<string> {
    return command(["ctr", "-a", this.socket, ...args]);
  }

  /**
   * The command line of a `ctr` that finds the lab's plugins and conflist. It has /opt/cni/bin and /etc/cni/net.d
   * compiled in, so it runs in a mount namespace with throw-away overlays on /opt and /etc: the real folders are
   * never written to.
   */
  ctrWithCni(args: readonly string[]): string[] {
    const { pluginFolder, conflistFolder } = this.#options;
    const script = `set -e
mount -t tmpfs overlays "$1"
for top in opt etc; do
  mkdir "$1/$top-upper" "$1/$top-work"
  mount -t overlay "$top" -o "lowerdir=/$top,upperdir=$1/$top-upper,workdir=$1/$top-work" "/$top"
done
mkdir -p /opt/cni/bin /etc/cni/net.d
mount --bind "$2" /opt/cni/bin
mount --bind "$3" /etc/cni/net.d
shift 3
exec "$@"`;
    const overlays = this.#lab.folder("overlays");
    const wrapped = [
      "sh",
      "-c",
      script,
      "sh",
      overlays,
      pluginFolder,
      conflistFolder,
      "ctr",
      "-a",
      this.socket,
    ];
    return this.#lab.inHost("unshare", "-m", "--propagation", "slave", "--", ...wrapped, ...args);
  }

  async #answers(): Promise<boolean> {
    return (await tryCommand(["ctr", "-a", this.socket, "version"], { timeoutMs: 5_000 })).status === 0;
  }

  async #stop(daemon: Daemon): Promise<void> {
    for (const namespace of CONTAINERD_NAMESPACES) await this.#removeContainers(namespace);
    await daemon.stop();
    killShims(this.socket);
  }

  /** Best effort: the tests remove their own containers, this is for those that failed half-way. */
  async #removeContainers(namespace: string): Promise<void> {
    const ctr = (...args: string[]) => tryCommand(["ctr", "-a", this.socket, "-n", namespace, ...args]);
    for (const task of lines((await ctr("tasks", "ls", "-q")).stdout)) await ctr("tasks", "rm", "-f", task);
    for (const container of lines((await ctr("containers", "ls", "-q")).stdout)) {
      await ctr("containers", "rm", container);
    }
  }

  /**
   * `oom_score` and `restrict_oom_score_adj`: a test machine may lack CAP_SYS_RESOURCE, without which a container
   * cannot get a lower OOM score than ours.
   */
  #configuration(): string {
    const { directory } = this.#lab;
    const { pluginFolder, conflistFolder, pauseImage } = this.#options;
    return `version = 2
root = "${join(directory, "root")}"
state = "${join(directory, "state")}"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${this.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(directory, "opt")}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${pluginFolder}"
    conf_dir = "${conflistFolder}"
    max_conf_num = 1
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
  }
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Ends the shims that a killed containerd leaves behind: those, and only those, that name this lab's socket. */
function killShims(socket: string): void {
  for (const pid of pidsNaming(socket)) {
    if (commandLine(pid)[0]?.endsWith("containerd-shim-runc-v2")) process.kill(pid, "SIGKILL");
  }
}

/** Processes that have this word on their command line, or a path below it. */
export function pidsNaming(word: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const isNamed = (argument: string): boolean => argument === word || argument.startsWith(`${word}/`);
  return pids.map(Number).filter((pid) => commandLine(pid).some(isNamed));
}

/** Empty for a process that is gone by now. */
function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Unmounts everything below `folder`, deepest first. */
export async function unmountBelow(folder: string): Promise<void> {
  const points = lines(readFileSync("/proc/self/mounts", "utf8")).map((line) => line.split(" ")[1] ?? "");
  for (const point of points
    .filter((path) => path.startsWith(`${folder}/`))
    .sort()
    .reverse()) {
    await tryCommand(["umount", "-l", point]);
  }
}
