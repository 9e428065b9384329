/**
 * podman with the CNI back end on a lab's host: its own storage and configuration, nothing of the machine's.
 */
import { join } from "node:path";
import type { Lab } from "../lab/lab.ts";
import {
  type CommandOutcome,
  command,
  labEnvironment,
  requireTools,
  tryCommand,
  waitUntil,
} from "../lab/lab-process.ts";
import { BUSYBOX_IMAGE, buildImages, PAUSE_IMAGE } from "./images.ts";
import { pidsNaming, unmountBelow } from "./runtimes-containerd.ts";

/** One podman command may start a container. */
const PODMAN_TIMEOUT_MS = 60_000;

export interface PodmanOptions {
  /** The one folder with every plugin. */
  readonly pluginFolder: string;
  readonly conflistFolder: string;
  /** Name of the conflist: the podman network. */
  readonly networkName: string;
}

export class Podman {
  readonly #lab: Lab;
  readonly #env: Record<string, string>;

  private constructor(lab: Lab, options: PodmanOptions) {
    this.#lab = lab;
    this.#env = {
      ...labEnvironment(),
      CONTAINERS_CONF: lab.file("containers.conf", containersConf(lab, options)),
      CONTAINERS_STORAGE_CONF: lab.file("storage.conf", storageConf(lab)),
    };
  }

  /** Prepares it and imports the images; everything it makes goes away with the lab. */
  static async prepare(lab: Lab, options: PodmanOptions): Promise<Podman> {
    requireTools("podman", "conmon", "runc", "umount");
    lab.folder("podman", "tmp");
    const podman = new Podman(lab, options);
    lab.defer("unmount podman's file systems", () => unmountWhenIdle(lab));
    lab.defer("remove the podman containers", () => podman.try("rm", "-af", "-t0"));
    const images = await buildImages(lab);
    for (const image of [PAUSE_IMAGE, BUSYBOX_IMAGE])
      await podman.run("pull", "-q", `oci-archive:${images}:${image}`);
    return podman;
  }

  /** Runs one podman command in the host netns. @throws when it fails. */
  run(...args: readonly string[]): Promise<string> {
    return command(this.#argv(args), { env: this.#env, timeoutMs: PODMAN_TIMEOUT_MS });
  }

  /** The same, and says how it ended. */
  try(...args: readonly string[]): Promise<CommandOutcome> {
    return tryCommand(this.#argv(args), { env: this.#env, timeoutMs: PODMAN_TIMEOUT_MS });
  }

  /** One field of a container's settings in a network, e.g. `IPAddress`. */
  async networkSetting(container: string, networkName: string, field: string): Promise<string> {
    const format = `{{(index .NetworkSettings.Networks "${networkName}").${field}}}`;
    return (await this.run("inspect", "-f", format, container)).trim();
  }

  #argv(args: readonly string[]): string[] {
    return this.#lab.inHost("podman", ...args);
  }
}

/** Behind a container that has ended podman cleans up in a process of its own, which mounts its storage again. */
async function unmountWhenIdle(lab: Lab): Promise<void> {
  await waitUntil(async () => pidsNaming(join(lab.directory, "podman")).length === 0, PODMAN_TIMEOUT_MS);
  await unmountBelow(lab.directory);
}

function storageConf(lab: Lab): string {
  return `[storage]
driver = "overlay"
graphroot = "${join(lab.directory, "podman/root")}"
runroot = "${join(lab.directory, "podman/run")}"
`;
}

/** `default_ulimits`: podman asks for 1,048,576, which a machine without CAP_SYS_RESOURCE refuses. */
function containersConf(lab: Lab, { pluginFolder, conflistFolder, networkName }: PodmanOptions): string {
  return `[containers]
apparmor_profile = ""
log_driver = "k8s-file"
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
static_dir = "${join(lab.directory, "podman/libpod")}"
tmp_dir = "${join(lab.directory, "podman/tmp")}"
infra_image = "${PAUSE_IMAGE}"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${pluginFolder}"]
network_config_dir = "${conflistFolder}"
default_network = "${networkName}"
`;
}
