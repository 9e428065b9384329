/** What `fairlead sandbox create` does. */
import { tryParseAddress } from "../../lib/addr/address.ts";
import type { Io } from "../io.ts";
import { openNode } from "../node/node.ts";
import { pathsOf } from "../node/options.ts";
import { formatJson } from "../output/json.ts";
import { createSandbox } from "../sandbox/create.ts";
import { inspectSandbox } from "../sandbox/inspect.ts";
import { parseNetworkWish, parsePublish } from "../sandbox/wishes.ts";
import { WordedError } from "../worded-error.ts";
import { dockerStatus } from "./docker-status.ts";
import { followNames } from "./network-follow.ts";
import type { CreateInput } from "./sandbox-options.ts";

export function runCreate({ args, options }: CreateInput, io: Io): Promise<number> {
  return dockerStatus(io, async () => {
    const node = openNode(pathsOf(options));
    const record = createSandbox(node, {
      name: options.name ?? args[0] ?? "",
      networks: options.network.map(parseNetworkWish),
      portMappings: options.publish.flatMap(parsePublish),
      nameservers: options.dns.map(requireAddress),
      ...(options.hostname !== undefined && { hostname: options.hostname }),
    });
    await followNames(io, node.paths.socket);
    await io.out(options.json ? formatJson(inspectSandbox(node.cache, record)) : `${record.id}\n`);
  });
}

function requireAddress(text: string): string {
  if (tryParseAddress(text) !== null) return text;
  throw new WordedError("invalid-config", `${text} is not an ip address`);
}
