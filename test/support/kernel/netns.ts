/** Network namespaces of a test's own, looked at with `ip`, never with the code under test. */
import { execFileSync } from "node:child_process";

let made = 0;

/** A named netns. Close it when the test is over. */
export class TestNetns {
  readonly name: string;

  /** @param label starts the name, which is unique among tests and processes. */
  constructor(label: string) {
    this.name = `${label}-${process.pid}-${made++}`;
    run("ip", "netns", "add", this.name);
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Output of `ip …` inside. @throws when it fails. */
  ip(...args: readonly string[]): string {
    return run("ip", "-n", this.name, ...args);
  }

  /** What `ip -j -d …` inside says, as objects. */
  show<T extends object = Record<string, never>>(...args: readonly string[]): T[] {
    const output = this.ip("-j", "-d", ...args).trim();
    return output === "" ? [] : (JSON.parse(output) as T[]).filter((item) => Object.keys(item).length > 0);
  }

  /** Output of any program inside, which sees this netns's /proc/sys/net. */
  exec(program: string, ...args: readonly string[]): string {
    return run("nsenter", `--net=${this.path}`, program, ...args);
  }

  close(): void {
    run("ip", "netns", "del", this.name);
  }
}

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, [...args], {
    encoding: "utf8",
    timeout: 20_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** What `ip -j -d link` says of a link, as far as tests look at it. */
export interface ShownLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly master?: string;
  readonly ifalias?: string;
  readonly promiscuity?: number;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
    readonly info_slave_kind?: string;
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
}

/** What `ip -j address` says of one address. */
export interface ShownAddress {
  readonly family: "inet" | "inet6";
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
  readonly broadcast?: string;
  readonly tentative?: boolean;
  readonly nodad?: boolean;
}

/** What `ip -j route` says of one route. */
export interface ShownRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev: string;
  readonly metric?: number;
  readonly scope?: string;
  readonly flags: readonly string[];
  readonly metrics?: readonly Readonly<Record<string, number>>[];
}
