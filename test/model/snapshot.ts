/** Looks at the kernel with its own tools, at the service by its interface, and at the files of the node. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { command, tryCommand } from "../support/lab-process.ts";
import type { Snapshot } from "./judge.ts";
import { links, type World } from "./world.ts";

/** @param ownIds container IDs of the history: leases and elements of others are none of its business. */
export async function takeSnapshot(world: World): Promise<Snapshot> {
  const [interfaces, hostLinks, leases, elements] = await Promise.all([
    containerInterfaces(),
    hostVeths(),
    world.service.listLeases({}),
    firewallComments(),
  ]);
  return { interfaces, hostLinks, leases, elements, files: filesOf(world) };
}

interface ShownLink {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local: string; readonly scope: string }[];
}

async function containerInterfaces(): Promise<Snapshot["interfaces"]> {
  const text = await command(["ip", "-all", "netns", "exec", "ip", "-j", "address"]);
  const parts = text.split(/^netns: c(\d+)$/mu).slice(1);
  return Array.from({ length: parts.length / 2 }, (_, at) => at * 2).flatMap((at) => {
    const who = Number(parts[at]);
    const shown = JSON.parse(parts[at + 1] ?? "[]") as ShownLink[];
    return shown
      .filter(({ ifname }) => ifname !== "lo")
      .map((link) => ({ who, addresses: addressesOf(link) }));
  });
}

function addressesOf({ addr_info }: ShownLink): string[] {
  return addr_info.filter(({ scope }) => scope === "global").map(({ local }) => local);
}

async function hostVeths(): Promise<string[]> {
  return (await links()).filter(({ linkinfo }) => linkinfo?.info_kind === "veth").map(({ ifname }) => ifname);
}

/** Without the table there are none. */
async function firewallComments(): Promise<string[]> {
  const { status, stdout } = await tryCommand(["nft", "list", "table", "inet", "fairlead"]);
  if (status !== 0) return [];
  // An element's comment names network, container and interface; a network's element has no slash.
  return [...stdout.matchAll(/comment "([^"]*\/[^"]*)"/gu)].map(([, comment = ""]) => comment);
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
