/**
 * A client of the Container Runtime Interface: what the kubelet asks of a runtime, over its unix socket.
 */
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { BUSYBOX_IMAGE } from "./images.ts";

/** Longest that one call may take. */
const CALL_TIMEOUT_MS = 60_000;
/** Time limit inside a container for one command, in seconds. */
const EXEC_TIMEOUT_SECONDS = 20;

export interface PodOptions {
  readonly name: string;
  /** Folder for the pod's logs; must exist. */
  readonly logFolder: string;
  readonly portMappings?: readonly { readonly containerPort: number; readonly hostPort: number }[];
  readonly dnsServers?: readonly string[];
  /** Shell line that the pod's one container runs. */
  readonly shellLine: string;
}

/** A running pod with one container. */
export interface Pod {
  readonly sandboxId: string;
  readonly containerId: string;
  readonly addresses: readonly string[];
}

export interface ExecOutcome {
  readonly status: number;
  readonly output: string;
}

type Fields = Record<string, unknown>;
type UnaryCall = (
  request: Fields,
  options: object,
  done: (error: Error | null, answer: Fields) => void,
) => void;

export class CriClient {
  readonly #client: grpc.Client & Record<string, UnaryCall>;

  constructor(socket: string) {
    const definition = loadSync(join(__dirname, "cri.proto"), {
      keepCase: true,
      longs: Number,
      defaults: true,
    });
    const { runtime } = grpc.loadPackageDefinition(definition) as unknown as { runtime: { v1: CriPackage } };
    const credentials = grpc.credentials.createInsecure();
    this.#client = new runtime.v1.RuntimeService(`unix://${socket}`, credentials);
  }

  close(): void {
    this.#client.close();
  }

  /** One call by its name in the proto. @throws with the runtime's own text. */
  call(method: string, request: Fields = {}): Promise<Fields> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, answer: Fields) =>
        error ? reject(callFailure(method, error)) : resolve(answer);
      const callMethod = this.#client[method];
      if (callMethod === undefined) throw new Error(`cri.proto has no method ${method}`);
      callMethod.call(this.#client, request, { deadline: Date.now() + CALL_TIMEOUT_MS }, done);
    });
  }

  /** True when the runtime has loaded a conflist and says that its network works. */
  async networkReady(): Promise<boolean> {
    const { status } = (await this.call("Status")) as { status?: { conditions: RuntimeCondition[] } };
    return status?.conditions.some(({ type, status: ready }) => type === "NetworkReady" && ready) ?? false;
  }

  /** RunPodSandbox, then one container in it. */
  async runPod(options: PodOptions): Promise<Pod> {
    const config = podConfig(options);
    const { pod_sandbox_id } = await this.call("RunPodSandbox", { config });
    const { container_id } = await this.call("CreateContainer", {
      pod_sandbox_id,
      sandbox_config: config,
      config: {
        metadata: { name: "main" },
        image: { image: BUSYBOX_IMAGE },
        command: ["/bin/sh", "-c"],
        args: [options.shellLine],
        log_path: "main.log",
        linux: { security_context: { capabilities: { add_capabilities: ["NET_RAW"] } } },
      },
    });
    await this.call("StartContainer", { container_id });
    const sandboxId = String(pod_sandbox_id);
    return { sandboxId, containerId: String(container_id), addresses: await this.addresses(sandboxId) };
  }

  /** Addresses of a pod, in the order of the runtime. */
  async addresses(sandboxId: string): Promise<string[]> {
    const answer = await this.call("PodSandboxStatus", { pod_sandbox_id: sandboxId });
    const { network } = answer["status"] as { network: { ip: string; additional_ips: { ip: string }[] } };
    return [network.ip, ...network.additional_ips.map(({ ip }) => ip)].filter((ip) => ip !== "");
  }

  /** Runs a command in the pod's container. */
  async exec(pod: Pod, ...cmd: readonly string[]): Promise<ExecOutcome> {
    const answer = await this.call("ExecSync", {
      container_id: pod.containerId,
      cmd,
      timeout: EXEC_TIMEOUT_SECONDS,
    });
    return { status: Number(answer["exit_code"]), output: `${answer["stdout"]}${answer["stderr"]}` };
  }

  /** Stops and removes the container, and leaves the pod sandbox. */
  async removeContainer(pod: Pod): Promise<void> {
    await this.call("StopContainer", { container_id: pod.containerId, timeout: 2 });
    await this.call("RemoveContainer", { container_id: pod.containerId });
  }

  async sandboxIds(): Promise<string[]> {
    const { items } = (await this.call("ListPodSandbox")) as { items: { id: string }[] };
    return items.map(({ id }) => id);
  }
}

/** The cgroup that the pods are in: one of the whole machine, so its name is unlike that of any other run at the same time. */
const POD_CGROUP = `fairlead-test-${process.pid}`;

/** Removes the pods' cgroup, which the runtime leaves behind, from every controller (or the one hierarchy of v2). */
export function removePodCgroup(): void {
  const root = "/sys/fs/cgroup";
  const hierarchies = [root, ...readdirSync(root).map((name) => join(root, name))];
  for (const cgroup of hierarchies.map((hierarchy) => join(hierarchy, POD_CGROUP))) {
    if (existsSync(cgroup)) rmdirSync(cgroup);
  }
}

interface CriPackage {
  readonly RuntimeService: new (
    address: string,
    credentials: grpc.ChannelCredentials,
  ) => grpc.Client & Record<string, UnaryCall>;
}

interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
}

function callFailure(method: string, cause: Error): Error {
  return new Error(`CRI ${method}: ${cause.message}`, { cause });
}

function podConfig(options: PodOptions): Fields {
  const mappings = options.portMappings ?? [];
  return {
    metadata: { name: options.name, namespace: "fairlead-test", uid: `uid-${options.name}`, attempt: 0 },
    hostname: options.name,
    log_directory: options.logFolder,
    dns_config: { servers: options.dnsServers ?? [] },
    port_mappings: mappings.map(({ containerPort, hostPort }) => ({
      protocol: "TCP",
      container_port: containerPort,
      host_port: hostPort,
    })),
    linux: {
      cgroup_parent: `/${POD_CGROUP}`,
      security_context: { namespace_options: { network: "POD", pid: "CONTAINER", ipc: "POD" } },
    },
  };
}
