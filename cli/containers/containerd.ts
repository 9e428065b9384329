/**
 * Containers of containerd: of `ctr`, of nerdctl, and of the CRI, where the attachments are the pod sandbox's.
 *
 * Source: labels of github.com/containerd/containerd v1.6 pkg/cri, and of nerdctl; `ctr run --cni` and nerdctl name
 * attachments `<namespace>-<id>`, the CRI by the ID of the sandbox.
 */
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { FairleadError } from "../../lib/errors.ts";
import type { NodePaths } from "../base/paths.ts";
import type { Candidate, Container, NetworkMode } from "./container.ts";
import {
  type ContainerdContainer,
  type ContainerdProcess,
  decodeContainers,
  decodeNamespaces,
  decodeProcess,
  encodeEmpty,
  encodeTaskRequest,
  PAUSED,
  RUNNING,
} from "./containerd-messages.ts";
import { modeOfNetns, processNetns } from "./process.ts";

/** Docker's own containers are asked of Docker. */
const FOREIGN_NAMESPACES = new Set(["moby", "plugins.moby"]);

/** Labels. The kubelet's own (`io.kubernetes.pod.name`) are not there when somebody else made the pod. */
const CRI_KIND = "io.cri-containerd.kind";
const NERDCTL_NAME = "nerdctl/name";

/** Annotations of the specification that the CRI writes. */
const SANDBOX_ID = "io.kubernetes.cri.sandbox-id";
const SANDBOX_NAME = "io.kubernetes.cri.sandbox-name";
const SANDBOX_NAMESPACE = "io.kubernetes.cri.sandbox-namespace";
const CONTAINER_NAME = "io.kubernetes.cri.container-name";

const TIMEOUT_MS = 10_000;
/** Specifications of a hundred containers come in one answer. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const GRPC_NOT_FOUND = 5;
const GRPC_UNAVAILABLE = 14;

interface Spec {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] };
}

export async function containerdCandidates(paths: NodePaths, reference: string): Promise<Candidate[]> {
  const api = new ContainerdApi(paths.containerdSocket);
  try {
    const namespaces = (await api.namespaces()).filter((name) => !FOREIGN_NAMESPACES.has(name));
    const lists = await Promise.all(namespaces.map((namespace) => inNamespace(api, namespace, reference)));
    return withoutDoubles(lists.flat());
  } catch (thrown) {
    // A socket that nobody serves: containerd does not run, so it has no containers.
    if (thrown instanceof FairleadError && thrown.code === "unavailable") return [];
    throw thrown;
  } finally {
    api.close();
  }
}

async function inNamespace(api: ContainerdApi, namespace: string, reference: string): Promise<Candidate[]> {
  const containers = await api.containers(namespace);
  const meant = containers
    .map((container) => ({ container, identity: identify(container, namespace) }))
    .filter(({ container, identity }) => isMeant(identity, container.id, reference));
  return Promise.all(
    meant.map(async ({ container, identity }) =>
      candidateOf(identity, container, await api.process(namespace, container.id)),
    ),
  );
}

/** What a container is called, and under which ID its attachments are. */
interface Identity {
  readonly id: string;
  readonly name: string;
  readonly names: readonly string[];
  readonly references: readonly string[];
}

function identify({ id, labels, spec }: ContainerdContainer, namespace: string): Identity {
  const references = [id, `${namespace}/${id}`, `${namespace}-${id}`];
  const annotations = CRI_KIND in labels ? (parseSpec(spec).annotations ?? {}) : {};
  const sandboxId = annotations[SANDBOX_ID];
  if (sandboxId === undefined) {
    const name = labels[NERDCTL_NAME] || id;
    return { id: `${namespace}-${id}`, name, names: [...new Set([name, id])], references };
  }
  // The CRI knows a container by its own ID, and its attachments by that of the sandbox.
  const pod = annotations[SANDBOX_NAME] ?? sandboxId;
  const names = [pod, annotations[CONTAINER_NAME] ?? ""].filter((name) => name !== "");
  const qualified = `${annotations[SANDBOX_NAMESPACE]}/${pod}`;
  return { id: sandboxId, name: pod, names, references: [...references, qualified] };
}

function isMeant({ names, references }: Identity, own: string, reference: string): boolean {
  return own.startsWith(reference) || names.includes(reference) || references.includes(reference);
}

function candidateOf(
  identity: Identity,
  container: ContainerdContainer,
  process: ContainerdProcess | null,
): Candidate {
  const { id, name, names, references } = identity;
  const spec = parseSpec(container.spec);
  return { kind: "containerd", id, names, references, describe: () => describe({ id, name }, spec, process) };
}

function describe(
  { id, name }: { id: string; name: string },
  spec: Spec,
  process: ContainerdProcess | null,
): Container {
  const common = { kind: "containerd", id, name } as const;
  const network = spec.linux?.namespaces?.find(({ type }) => type === "network");
  const runs = process !== null && process.pid > 0 && [RUNNING, PAUSED].includes(process.status);
  if (!runs) return { ...common, netns: null, mode: "own" };
  const own = processNetns(process.pid);
  const mode = modeOf(own, network);
  return { ...common, netns: network?.path && !network.path.startsWith("/proc/") ? network.path : own, mode };
}

function modeOf(own: string, network: { readonly path?: string } | undefined): NetworkMode {
  return network === undefined ? "host" : modeOfNetns(own);
}

function parseSpec(text: string): Spec {
  try {
    return text === "" ? {} : (JSON.parse(text) as Spec);
  } catch {
    return {};
  }
}

/** The containers of one pod are one container to the network: one candidate for each attachment holder. */
function withoutDoubles(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const other = seen.get(candidate.id);
    if (other === undefined) seen.set(candidate.id, candidate);
    else seen.set(candidate.id, merge(other, candidate));
  }
  return [...seen.values()];
}

function merge(first: Candidate, second: Candidate): Candidate {
  return {
    ...first,
    names: [...new Set([...first.names, ...second.names])],
    references: [...new Set([...(first.references ?? []), ...(second.references ?? [])])],
    describe: async () => {
      const described = await first.describe();
      return described.netns === null ? second.describe() : described;
    },
  };
}

interface Method {
  readonly service: string;
  readonly method: string;
}

/** Three calls of containerd's API over its socket. */
class ContainerdApi {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
      "grpc.default_authority": "localhost",
    });
  }

  async namespaces(): Promise<string[]> {
    return decodeNamespaces(
      (await this.#call({ service: "namespaces", method: "Namespaces/List" }, encodeEmpty())) ??
        new Uint8Array(),
    );
  }

  async containers(namespace: string): Promise<ContainerdContainer[]> {
    const answer = await this.#call(
      { service: "containers", method: "Containers/List" },
      encodeEmpty(),
      namespace,
    );
    return decodeContainers(answer ?? new Uint8Array());
  }

  /** Null when the container has no task: it does not run. */
  async process(namespace: string, id: string): Promise<ContainerdProcess | null> {
    const answer = await this.#call(
      { service: "tasks", method: "Tasks/Get" },
      encodeTaskRequest(id),
      namespace,
    );
    return answer === null ? null : decodeProcess(answer);
  }

  close(): void {
    this.#client.close();
  }

  /** Null when containerd says that there is no such thing. */
  #call({ service, method }: Method, request: Uint8Array, namespace = ""): Promise<Uint8Array | null> {
    const metadata = new Metadata();
    if (namespace !== "") metadata.set("containerd-namespace", namespace);
    const path = `/containerd.services.${service}.v1.${method}`;
    const deadline = Date.now() + TIMEOUT_MS;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>();
    this.#client.makeUnaryRequest(
      path,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => new Uint8Array(bytes),
      request,
      metadata,
      { deadline },
      (error, answer) => {
        if (error === null) resolve(answer ?? new Uint8Array());
        else if (error.code === GRPC_NOT_FOUND) resolve(null);
        else reject(callError(method, error));
      },
    );
    return promise;
  }
}

function callError(method: string, error: { code: number; details: string }): FairleadError {
  return new FairleadError({
    code: error.code === GRPC_UNAVAILABLE ? "unavailable" : "io-failure",
    operation: "ask containerd:",
    object: method,
    reason: error.details,
    hint: "see whether it answers: ctr version",
  });
}
