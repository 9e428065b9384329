/**
 * A "host" for the end-to-end tests: a network namespace with an uplink to a stub of the internet, a folder of
 * its own, and a list of what to take back at the end.
 *
 *     container ── bridge ── host netns (198.51.100.2) ── eth0 ── internet netns (198.51.100.1)
 *
 * The internet has no route back to any container subnet, so a container is answered from there only when the
 * host masquerades it. Forwarding is off in a new host: what a plugin needs, it must turn on itself.
 *
 * Namespaces are entered with `nsenter --net`. `ip netns exec` would also remount /sys, which hides the cgroups
 * from a container runtime.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandOptions, command, requireTools, tryCommand } from "./lab-process.ts";

export const INTERNET_IPV4 = "198.51.100.1";
export const INTERNET_IPV6 = "2001:db8:51::1";
export const HOST_IPV4 = "198.51.100.2";
export const HOST_IPV6 = "2001:db8:51::2";

/** Full path of a named network namespace: what CNI_NETNS holds. */
export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

interface CleanupStep {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

export class Lab {
  /** Of the host netns; also starts the names of everything else that belongs to this lab. */
  readonly hostNetns: string;
  readonly internetNetns: string;
  readonly directory: string;
  readonly #cleanup: CleanupStep[] = [];

  private constructor(name: string) {
    this.hostNetns = `fl-${name}-${process.pid}`;
    this.internetNetns = `${this.hostNetns}-net`;
    // Short on purpose: the path of a unix socket holds 107 bytes at most.
    this.directory = mkdtempSync(join(tmpdir(), "fl-"));
    this.defer("remove the folder", async () => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** Makes a host with its uplink. When that fails half-way, what was made is removed again. */
  static async open(name: string): Promise<Lab> {
    requireTools("ip", "nsenter", "ping");
    const lab = new Lab(name);
    try {
      await lab.#makeUplink();
      return lab;
    } catch (cause) {
      await lab.close();
      throw cause;
    }
  }

  /** Has `run` called by {@link close}, before everything that was deferred earlier. */
  defer(name: string, run: () => Promise<unknown>): void {
    this.#cleanup.push({ name, run });
  }

  /** Takes everything back, newest first. A step that fails does not keep the others from running. */
  async close(): Promise<void> {
    const problems: string[] = [];
    for (const step of this.#cleanup.splice(0).reverse()) {
      await step.run().catch((cause) => problems.push(`${step.name}: ${String(cause)}`));
    }
    if (problems.length > 0) throw new Error(`clean up ${this.hostNetns}:\n${problems.join("\n")}`);
  }

  /** Path of a new folder in the lab's own. */
  folder(...names: readonly string[]): string {
    const path = join(this.directory, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Writes a file into the lab's folder and returns its path. */
  file(name: string, content: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  /** Makes a network namespace that goes away with the lab. Returns its path. */
  async addNetns(name: string): Promise<string> {
    await command(["ip", "netns", "add", name]);
    this.defer(`delete netns ${name}`, () => command(["ip", "netns", "del", name]));
    return netnsPath(name);
  }

  /** Makes a container netns with its loopback up, named after the lab. Returns its path. */
  async addContainer(name: string): Promise<string> {
    const netns = `${this.hostNetns}-${name}`;
    const path = await this.addNetns(netns);
    await command(["ip", "-n", netns, "link", "set", "lo", "up"]);
    return path;
  }

  /** The command line that runs `argv` in the host netns. */
  inHost(...argv: readonly string[]): string[] {
    return inNetns(netnsPath(this.hostNetns), ...argv);
  }

  /** Runs a command in the host netns. @throws when it fails. */
  host(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return command(this.inHost(...argv), options);
  }

  /** Runs a command in the stub of the internet. @throws when it fails. */
  internet(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return command(inNetns(netnsPath(this.internetNetns), ...argv), options);
  }

  /** Names of the links in the host netns, sorted, without the loopback. */
  async hostLinks(): Promise<string[]> {
    const links = JSON.parse(await this.host(["ip", "-j", "link"])) as { ifname: string }[];
    return links
      .map((link) => link.ifname)
      .filter((name) => name !== "lo")
      .sort();
  }

  /** Every firewall rule of the host, of nftables and of both iptables, as text. */
  async firewallRules(): Promise<string> {
    requireTools("nft", "iptables-save");
    const dumps = [["nft", "list", "ruleset"], ["iptables-save"], ["ip6tables-save"]];
    return (await Promise.all(dumps.map((dump) => this.host(dump)))).join("\n");
  }

  async #makeUplink(): Promise<void> {
    const { hostNetns: host, internetNetns: internet } = this;
    await this.addNetns(internet);
    await this.addNetns(host);
    await ipBatch(host, [
      `link add eth0 type veth peer name eth0 netns ${internet}`,
      ...upWith(`${HOST_IPV4}/24`, `${HOST_IPV6}/64`),
    ]);
    await ipBatch(internet, upWith(`${INTERNET_IPV4}/24`, `${INTERNET_IPV6}/64`));
    // The way over IPv6 needs the other end to be up.
    await ipBatch(
      host,
      [INTERNET_IPV4, INTERNET_IPV6].map((gateway) => `route add default via ${gateway}`),
    );
    await this.host(["sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"]);
  }
}

/** Lines of ip(8), in one process. @throws at the first that fails. */
function ipBatch(netns: string, lines: readonly string[]): Promise<string> {
  return command(["ip", "-n", netns, "-batch", "-"], { input: lines.join("\n") });
}

function upWith(ipv4: string, ipv6: string): string[] {
  return [
    "link set lo up",
    `addr add ${ipv4} dev eth0`,
    `addr add ${ipv6} dev eth0 nodad`,
    "link set eth0 up",
  ];
}

/** The command line that runs `argv` in the network namespace at `path`. */
export function inNetns(path: string, ...argv: readonly string[]): string[] {
  return ["nsenter", `--net=${path}`, "--", ...argv];
}

/**
 * Pings `target` from the netns at `path`: up to 5 tries, so that a neighbour that is still being resolved does
 * not fail it. Returns whether an answer came.
 */
export async function canPing(path: string, target: string): Promise<boolean> {
  requireTools("ping");
  const ping = ["ping", "-n", "-q", "-c", "1", "-W", "1", target];
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if ((await tryCommand(inNetns(path, ...ping))).status === 0) return true;
  }
  return false;
}

/**
 * Shell line for inside a container: pings `target` with busybox, up to 5 tries, for the reason of {@link canPing}.
 * Its exit status is 0 when an answer came.
 */
export function pingShellLine(target: string): string {
  const ping = `${target.includes(":") ? "ping6" : "ping"} -c1 -W1 ${target}`;
  return `(for i in 1 2 3 4 5; do ${ping} && exit 0; done; exit 1)`;
}
