/** Makes a sandbox: a network namespace with a name, its networks, and the files that give it names. All or nothing. */
import { isHostName } from "../../lib/addr/host-name.ts";
import { FairleadError } from "../../lib/errors.ts";
import { setLinkUp } from "../../lib/host/links.ts";
import {
  createNamedNetns,
  namedNetnsPath,
  removeNamedNetns,
} from "../../lib/linux/namespaces/named-netns.ts";
import { openNetns } from "../../lib/linux/namespaces/netns.ts";
import { hostname as hostnameHere } from "../../lib/linux/processes/machine.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { UndoStack } from "../../lib/undo.ts";
import { WordedError } from "../base/worded-error.ts";
import { attachmentsOf } from "../node/attach.ts";
import { detachAll } from "../node/detach.ts";
import type { Node } from "../node/node.ts";
import { connectAll } from "./connect-all.ts";
import { writeSandboxFiles } from "./files.ts";
import { requireSandboxName } from "./name.ts";
import type { ContainerPort, PublishWish } from "./ports/publish.ts";
import { type SandboxRecord, SandboxRegistry } from "./registry.ts";
import { requireUsableServers } from "./resolver/name-servers.ts";
import { sandboxContainer } from "./source.ts";
import type { NetworkWish } from "./wishes.ts";

export interface SandboxWishes {
  readonly name: string;
  /** Empty: the network `bridge`. */
  readonly networks: readonly NetworkWish[];
  /** Ports that are to be published, on the network that has the default route. */
  readonly ports: readonly PublishWish[];
  /** Ports that it is known to serve; shown, and nothing else. */
  readonly exposedPorts: readonly ContainerPort[];
  readonly nameservers: readonly string[];
  readonly resolver: Pick<SandboxRecord, "search" | "resolverOptions" | "extraHosts">;
  /** Default: the name; where that is no host name, the beginning of the ID; in the host's network the host's. */
  readonly hostname?: string;
}

const DEFAULT_NETWORK: NetworkWish = { reference: "bridge", wishes: {} };

/** Modes that Docker gives the names of networks. */
const MODES = new Set(["host", "none"]);

/** Source: include/uapi/linux/utsname.h __NEW_UTS_LEN. */
const HOSTNAME_BYTES = 64;
/** As many digits of an ID as Docker's default host name has. */
const SHORT_ID = 12;

/** @throws WordedError; what the plugins report. Nothing is left behind then. */
export function createSandbox(node: Node, wishes: SandboxWishes): SandboxRecord {
  const record = newRecord(wishes);
  const registry = new SandboxRegistry(node.paths.runDirectory);
  const undo = new UndoStack();
  try {
    reserve(registry, record);
    undo.push("forget the sandbox", () => registry.remove(record));
    if (record.mode !== "host") makeNetns(record, undo);
    if (record.mode === "own") attachAll(node, record, { wishes, undo });
    const attachments = attachmentsOf(node, record.id);
    requireUsableServers(record, attachments);
    writeSandboxFiles(record, registry.files(record.id), attachments);
    return record;
  } catch (thrown) {
    throw withUndoErrors(thrown, undo.unwind());
  }
}

function newRecord(wishes: SandboxWishes): SandboxRecord {
  const { name, networks, nameservers, exposedPorts, hostname } = wishes;
  requireSandboxName(name);
  if (hostname !== undefined && !isUtsName(hostname))
    throw new WordedError("invalid-config", `invalid hostname format: ${hostname}`);
  const [mode, id] = [modeOf(networks), randomId()];
  refuseUnseen(mode, wishes);
  if (mode !== "own" && wishes.ports.length > 0)
    throw new WordedError("invalid-config", `conflicting options: port publishing and the network ${mode}`);
  return {
    name,
    id,
    netns: mode === "host" ? "" : namedNetnsPath(name),
    mode,
    hostname: hostname ?? defaultHostname({ name, id, mode }),
    createdAt: new Date().toISOString(),
    nameservers,
    ...wishes.resolver,
    ...(exposedPorts.length > 0 && { exposedPorts }),
  };
}

/** In the host's network the host's own: /etc/hosts is the host's there, too. */
function defaultHostname({ name, id, mode }: Pick<SandboxRecord, "name" | "id" | "mode">): string {
  if (mode === "host") return hostnameHere();
  return isUtsName(name) ? name : id.slice(0, SHORT_ID);
}

/** What the kernel takes, /etc/hosts holds in one word, and a name server can serve. */
function isUtsName(text: string): boolean {
  return text.length <= HOSTNAME_BYTES && isHostName(text);
}

/** In the host's network a sandbox sees the host's own files. */
function refuseUnseen(mode: SandboxRecord["mode"], { nameservers, resolver }: SandboxWishes): void {
  const { search = [], resolverOptions = [], extraHosts = [] } = resolver;
  if (mode !== "host") return;
  if (nameservers.length + search.length + resolverOptions.length > 0)
    throw new WordedError("invalid-config", "conflicting options: dns and the network mode");
  if (extraHosts.length > 0)
    throw new WordedError(
      "invalid-config",
      "conflicting options: custom host-to-IP mapping and the network mode",
    );
}

function modeOf(networks: readonly NetworkWish[]): SandboxRecord["mode"] {
  const special = networks.find(({ reference }) => MODES.has(reference));
  if (special === undefined) return "own";
  if (networks.length === 1) return special.reference === "host" ? "host" : "none";
  throw new WordedError(
    "invalid-config",
    "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
  );
}

/** 64 hexadecimal digits. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function reserve(registry: SandboxRegistry, record: SandboxRecord): void {
  if (registry.add(record)) return;
  const holder = (registry.find(record.name)?.id ?? "").slice(0, SHORT_ID);
  throw new WordedError(
    "already-exists",
    `Conflict. The sandbox name "${record.name}" is already in use by sandbox "${holder}". You have to remove that sandbox to be able to reuse that name.`,
  );
}

function makeNetns({ name }: SandboxRecord, undo: UndoStack): void {
  const path = createNamedNetns(name);
  undo.push("remove the network namespace", () => void removeNamedNetns(name));
  const netns = openNetns(path);
  const connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
  try {
    setLinkUp(connection, "lo");
  } finally {
    connection.close();
    netns.close();
  }
}

function attachAll(
  node: Node,
  record: SandboxRecord,
  { wishes, undo }: { readonly wishes: SandboxWishes; readonly undo: UndoStack },
): void {
  const container = sandboxContainer(record);
  undo.push("detach", () => detachAll(node, container, { force: true }));
  const networks = wishes.networks.length === 0 ? [DEFAULT_NETWORK] : wishes.networks;
  connectAll(node, container, { networks, ports: wishes.ports });
}

function withUndoErrors(thrown: unknown, failures: readonly Error[]): unknown {
  if (failures.length === 0) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const left = failures.map(({ message }) => message).join("; ");
  return new FairleadError({
    code: thrown instanceof FairleadError ? thrown.code : "internal",
    operation: "create sandbox",
    reason,
    hint: `and not all could be taken back: ${left}`,
    cause: thrown,
  });
}
