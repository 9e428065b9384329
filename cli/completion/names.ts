/** Names of networks and containers, for completion: what is there now, and nothing at all when it cannot be found out. */
import { DEFAULT_SOCKET } from "../../lib/daemon/paths.ts";
import type { Io } from "../base/io.ts";
import { DEFAULT_PATHS } from "../base/paths.ts";
import type { CliService } from "../base/service.ts";
import { naturalOrder } from "../network/order.ts";
import { SandboxRegistry } from "../sandbox/registry.ts";
import { withService } from "../service/with-service.ts";
import type { NameSource } from "./candidates.ts";

export function nameSource(io: Io): NameSource {
  return async (kind, options) => {
    const socket = options.get("socket") ?? DEFAULT_SOCKET;
    const ask = (question: (service: CliService) => Promise<readonly string[]>): Promise<readonly string[]> =>
      quietly(() => withService(io, socket, question));
    if (kind === "network") return sorted(await ask(networkNames));
    const sandboxes = await quietly(async () =>
      sandboxNames(options.get("run-dir") ?? DEFAULT_PATHS.runDirectory),
    );
    return sorted(kind === "sandbox" ? sandboxes : [...sandboxes, ...(await ask(endpointNames))]);
  };
}

async function networkNames(service: CliService): Promise<readonly string[]> {
  return (await service.listNetworks()).map(({ name }) => name);
}

/** Containers that are attached already: those of other runtimes go by names that Fairlead has heard of so far. */
async function endpointNames(service: CliService): Promise<readonly string[]> {
  return (await service.listEndpoints({})).map(({ name }) => name).filter((name) => name !== "");
}

function sandboxNames(runDirectory: string): readonly string[] {
  return new SandboxRegistry(runDirectory).list().map(({ name }) => name);
}

/** Whoever presses a key does not want to read an error in the middle of the line. */
async function quietly(body: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await body();
  } catch {
    return [];
  }
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort(naturalOrder);
}
