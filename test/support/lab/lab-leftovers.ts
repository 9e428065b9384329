/** What a network's containers left behind on a lab's host. */
import type { Lab } from "./lab.ts";
import type { PluginsUnderTest } from "./lab-plugins.ts";

export interface GoneNetwork {
  readonly networkName: string;
  /** Links that may stay: the bridge, which outlives its containers, as with the reference. */
  readonly bridges: readonly string[];
  /** Addresses that the containers had, without prefix length. */
  readonly addresses: readonly string[];
  readonly containerIds: readonly string[];
}

/**
 * Everything that should be gone after the last DEL, one line each: links, bound addresses, firewall rules that name
 * a container or its address. A rule for the whole network is none of these: it may stay for the next container.
 */
export async function leftovers(lab: Lab, plugins: PluginsUnderTest, gone: GoneNetwork): Promise<string[]> {
  const kept = new Set(["eth0", ...gone.bridges]);
  const links = (await lab.hostLinks()).filter((name) => !kept.has(name));
  const leases = await plugins.boundAddresses(gone.networkName);
  return [
    ...links.map((name) => `link ${name}`),
    ...leases.map((address) => `lease ${address}`),
    ...(await rulesNaming(lab, [...gone.addresses, ...gone.containerIds])),
  ];
}

async function rulesNaming(lab: Lab, words: readonly string[]): Promise<string[]> {
  const rules = (await lab.firewallRules()).split("\n");
  return rules
    .filter((rule) => words.some((word) => namesWord(rule, word)))
    .map((rule) => `rule ${rule.trim()}`);
}

/** `10.88.0.2` is in `ip saddr 10.88.0.2/32`, and neither in `10.88.0.20` nor in `110.88.0.2`. */
function namesWord(rule: string, word: string): boolean {
  return rule.split(/[^0-9A-Za-z.:_-]+/).includes(word);
}
