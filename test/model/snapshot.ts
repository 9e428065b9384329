/** Looks at the kernel, at the service by its interface, and at the files of the node. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Snapshot } from "./judge.ts";
import type { World } from "./world.ts";

export async function takeSnapshot(world: World): Promise<Snapshot> {
  const leases = await world.service.listLeases({});
  return { ...world.kernel.view(), leases, files: filesOf(world) };
}

/** What the service holds and what the daemons said last, for people: a failure that needs luck may not come again. */
export async function stateOf(world: World): Promise<string[]> {
  const { recovering, revision } = await world.service.info();
  const leases = await world.service.listLeases({});
  return [
    `-- service at revision ${revision}${recovering ? ", in recovery" : ""}`,
    ...leases.map(
      ({ address, state, containerId, reason }) => `${address} ${state} ${containerId} ${reason}`,
    ),
    ...(["server", "agent"] as const).flatMap((name) => [`-- ${name}`, ...world.log(name).split("\n")]),
  ];
}

function filesOf({ stateDir, cacheDir }: World): string[] {
  const folders = [
    join(stateDir, "release-intents"),
    join(stateDir, "release-intents.bad"),
    join(cacheDir, "results"),
  ];
  return folders.flatMap(namesIn);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}
