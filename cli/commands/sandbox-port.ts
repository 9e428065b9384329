/** What `fairlead sandbox port` does. Source of the words: docker/cli v20.10, cli/command/container/port.go. */
import { ResultCache } from "../../lib/runtime/cache.ts";
import type { Io } from "../base/io.ts";
import { WordedError } from "../base/worded-error.ts";
import { formatJson } from "../output/json.ts";
import { formatHost, type PublishedPort, publishedPorts } from "../sandbox/ports/ports.ts";
import { parseExpose } from "../sandbox/ports/publish.ts";
import { SandboxRegistry } from "../sandbox/registry.ts";
import { requireSandbox } from "../sandbox/require.ts";
import type { PortInput } from "./sandbox-options.ts";

export async function runPort(
  { args: [reference = "", wanted], options }: PortInput,
  io: Io,
): Promise<number> {
  const { json } = options;
  const cache = new ResultCache(options["cni-cache-dir"]);
  const { id, name } = requireSandbox(new SandboxRegistry(options["run-dir"]), reference);
  const all = publishedPorts(cache.list(id));
  const ports = wanted === undefined ? all : select(all, wanted, name);
  await io.out(json ? formatJson({ ports }) : ports.map((port) => line(port, wanted === undefined)).join(""));
  return 0;
}

function select(all: readonly PublishedPort[], wanted: string, name: string): PublishedPort[] {
  const asked = parseExpose(wanted);
  const found = all.filter((port) =>
    asked.some(
      ({ containerPort, protocol }) => port.containerPort === containerPort && port.protocol === protocol,
    ),
  );
  if (found.length > 0) return found;
  const full = wanted.includes("/") ? wanted : `${wanted}/tcp`;
  throw new WordedError("not-found", `No public port '${full}' published for ${name}`);
}

function line(port: PublishedPort, isNamed: boolean): string {
  const { containerPort, protocol } = port;
  return `${isNamed ? `${containerPort}/${protocol} -> ` : ""}${formatHost(port)}\n`;
}
