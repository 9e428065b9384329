/** What `fairlead sandbox create` does. */
import { tryParseContainerUpstream } from "../../lib/runtime/container-upstreams.ts";
import type { Io } from "../base/io.ts";
import { WordedError } from "../base/worded-error.ts";
import { namesOf } from "../node/attach.ts";
import { PREDEFINED_BRIDGE } from "../node/links.ts";
import { openNode } from "../node/node.ts";
import { pathsOf } from "../node/options.ts";
import { formatJson } from "../output/json.ts";
import { createSandbox, type SandboxWishes } from "../sandbox/create.ts";
import { sandboxJson } from "../sandbox/json.ts";
import { parseExpose, parsePublish } from "../sandbox/ports/publish.ts";
import type { SandboxRecord } from "../sandbox/registry.ts";
import { parseExtraHost, parseResolverOption, parseSearch } from "../sandbox/resolver/wishes.ts";
import { sandboxContainer } from "../sandbox/source.ts";
import { parseNetworkWish } from "../sandbox/wishes.ts";
import { followNames } from "./network-follow.ts";
import type { CreateInput } from "./sandbox-options.ts";
import { warnOfUnserved } from "./unserved-names.ts";

export async function runCreate({ args, options }: CreateInput, io: Io): Promise<number> {
  const { json } = options;
  const node = openNode(pathsOf(options));
  const wishes: SandboxWishes = {
    name: options.name ?? args[0] ?? "",
    networks: options.network.map(parseNetworkWish),
    ...portsOf(options),
    nameservers: options.dns.map(requireServer),
    resolver: resolverOf(options),
    ...(options.hostname !== undefined && { hostname: options.hostname }),
  };
  const record = createSandbox(node, wishes);
  await followNames(io, node.paths.socket);
  await warnOfUnserved(io, namesLookedUp(record, wishes));
  await io.out(json ? formatJson(sandboxJson(node.cache, record)) : `${record.id}\n`);
  return 0;
}

type ResolverOptions = Pick<CreateInput["options"], "dns-search" | "dns-option" | "dns-opt" | "add-host">;

function resolverOf(options: ResolverOptions): SandboxWishes["resolver"] {
  const search = options["dns-search"].map(parseSearch);
  const resolverOptions = [...options["dns-option"], ...options["dns-opt"]].map(parseResolverOption);
  const extraHosts = options["add-host"].map(parseExtraHost);
  return {
    ...(search.length > 0 && { search }),
    ...(resolverOptions.length > 0 && { resolverOptions }),
    ...(extraHosts.length > 0 && { extraHosts }),
  };
}

type PortOptions = Pick<CreateInput["options"], "publish" | "publish-all" | "expose">;

/** With --publish-all every exposed port that is not published by itself has a port of the host, as in Docker. */
function portsOf(options: PortOptions): Pick<SandboxWishes, "ports" | "exposedPorts"> {
  const ports = options.publish.flatMap(parsePublish);
  const exposedPorts = options.expose.flatMap(parseExpose);
  if (!options["publish-all"]) return { ports, exposedPorts };
  const rest = exposedPorts.filter(
    (one) =>
      !ports.some((port) => port.containerPort === one.containerPort && port.protocol === one.protocol),
  );
  if (exposedPorts.length === 0)
    throw new WordedError(
      "invalid-config",
      "--publish-all: there is nothing to publish; name ports with --expose",
    );
  const all = rest.map((port) => ({
    ...port,
    typed: `${port.containerPort}/${port.protocol}`,
    hostPorts: null,
  }));
  return { ports: [...ports, ...all], exposedPorts };
}

/** Names that somebody may look up: none on the predefined networks. */
function namesLookedUp(record: SandboxRecord, { networks }: SandboxWishes): string[] {
  const named = networks.filter(({ reference }) => reference !== PREDEFINED_BRIDGE);
  if (record.mode !== "own" || named.length === 0) return [];
  return namesOf(
    sandboxContainer(record),
    named.flatMap(({ wishes }) => wishes.aliases ?? []),
  );
}

function requireServer(text: string): string {
  if (tryParseContainerUpstream(text) !== null) return text;
  throw new WordedError("invalid-config", `${text} is not an ip address`);
}
