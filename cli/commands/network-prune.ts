/** What `fairlead network prune` does. */
import { systemClock } from "../../lib/clock.ts";
import { asFairleadError } from "../../lib/errors.ts";
import type { Network } from "../../lib/ipam/api.ts";
import type { Io } from "../base/io.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { pruneFilter } from "../network/filters.ts";
import { naturalOrder } from "../network/order.ts";
import { inDockersWords } from "../network/words.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";
import { warn } from "./network-follow.ts";
import type { PruneInput } from "./network-options.ts";
import { follow } from "./network-rm.ts";

const QUESTION = `WARNING! This will remove all custom networks not used by at least one container.
Are you sure you want to continue? [y/N] `;

export async function runPrune({ options }: PruneInput, io: Io): Promise<number> {
  const keep = pruneFilter(options.filter, systemClock.now());
  if (!options.force && !(await confirmed(io))) return 0;
  const removed = await withService(io, options.socket, (service) => prune(service, keep, io));
  await follow(io, options["agent-socket"], removed);
  if (options.json) await io.out(formatJson({ removed }));
  else if (removed.length > 0) await io.out(`Deleted Networks:\n${removed.join("\n")}\n\n`);
  return 0;
}

async function confirmed(io: Io): Promise<boolean> {
  await io.out(QUESTION);
  const answer = (await io.readLine?.()) ?? "";
  return answer.trim().toLowerCase() === "y";
}

/** Names of the networks that went. One that somebody came to use meanwhile stays. */
async function prune(service: CliService, keep: (network: Network) => boolean, io: Io): Promise<string[]> {
  const removed: string[] = [];
  for (const { id, name } of await candidates(service, keep)) {
    try {
      await service.removeNetwork({ name: id }, CLI_CALLER);
      removed.push(name);
    } catch (thrown) {
      const error = asFairleadError(thrown, "remove network", name);
      if (error.code !== "in-use" && error.code !== "not-found") await warn(io, error.message);
    }
  }
  return removed;
}

/** Networks that a hand-written configuration declared would come back with the next container: they stay. */
async function candidates(service: CliService, keep: (network: Network) => boolean): Promise<Network[]> {
  try {
    const networks = await service.listNetworks();
    return networks
      .filter((network) => network.origin === "api" && network.attachments === 0 && keep(network))
      .sort((a, b) => naturalOrder(a.name, b.name));
  } catch (thrown) {
    throw inDockersWords(thrown);
  }
}
