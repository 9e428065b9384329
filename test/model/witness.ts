/**
 * The kernel as its own tools show it. `kernel.ts` reads it by the code that is under test, a tenth as dear; so from time to time
 * both look, and must have seen the same.
 */
import { isDeepStrictEqual } from "node:util";
import { command, tryCommand, waitUntil } from "../support/lab/lab-process.ts";
import type { Kernel, KernelView } from "./kernel.ts";

/** What changes between the two looks, as when an agent mends something, is looked at again. */
const AGREE_WITHIN_MS = 5_000;

/** Empty when both see the same. */
export async function disagreement(kernel: Kernel): Promise<string[]> {
  let seen = "";
  const agree = await waitUntil(async () => {
    const [ours, theirs] = [inOrder(kernel.view()), inOrder(await shownByTools())];
    seen = `kernel.ts sees ${JSON.stringify(ours)}, ip and nft see ${JSON.stringify(theirs)}`;
    return isDeepStrictEqual(ours, theirs);
  }, AGREE_WITHIN_MS);
  return agree ? [] : [seen];
}

function inOrder({ interfaces, hostLinks, elements }: KernelView): object {
  const texts = interfaces.map(({ who, addresses }) => `c${who} ${addresses.toSorted().join(" ")}`);
  return [texts.toSorted(), hostLinks.toSorted(), elements.toSorted()];
}

async function shownByTools(): Promise<KernelView> {
  const [interfaces, hostLinks, elements] = await Promise.all([
    containerInterfaces(),
    hostVeths(),
    firewallComments(),
  ]);
  return { interfaces, hostLinks, elements };
}

interface ShownLink {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local: string; readonly scope: string }[];
}

async function containerInterfaces(): Promise<KernelView["interfaces"]> {
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
  const shown = await command(["ip", "-d", "-j", "link", "show", "type", "veth"]);
  return (JSON.parse(shown) as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []);
}

/** Without the table there are none. */
async function firewallComments(): Promise<string[]> {
  const { status, stdout } = await tryCommand(["nft", "list", "table", "inet", "fairlead"]);
  if (status !== 0) return [];
  // An element's comment names network, container and interface; a network's element has no slash.
  return [...stdout.matchAll(/comment "([^"]*\/[^"]*)"/gu)].map(([, comment = ""]) => comment);
}
