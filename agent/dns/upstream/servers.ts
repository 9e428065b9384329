/**
 * Who is asked about names of the world: the servers that the configuration names, or those of the host's resolv.conf.
 *
 * The agent asks from the host's network namespace, so that a stub on loopback (127.0.0.53) works as it does for the
 * host. The file is looked at again at most once a second, when somebody asks.
 */
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";

const RESOLV_CONF = "/etc/resolv.conf";
/** As in the C library. Source: resolv.conf(5), MAXNS. */
const MOST_UPSTREAMS = 3;
const LOOK_AGAIN_MS = 1_000;
const LARGEST_FILE_BYTES = 64 * 1024;
const DNS_PORT = 53;

export interface Upstream {
  /** IPv6 may have a zone: `fe80::1%eth0`. */
  readonly address: string;
  readonly port: number;
}

/** `10.0.0.1`, or `10.0.0.1#5353`. The text was checked when the configuration was read. */
export function parseUpstream(text: string): Upstream {
  const [address = "", port] = text.split("#");
  return { address, port: port === undefined ? DNS_PORT : Number(port) };
}

/** The first three `nameserver` lines that hold an address. */
export function nameserversOf(resolvConf: string): Upstream[] {
  const addresses = resolvConf
    .split("\n")
    .map((line) => /^nameserver[ \t]+(\S+)/.exec(line)?.[1] ?? "")
    .filter((address) => isIP(address) !== 0);
  return addresses.slice(0, MOST_UPSTREAMS).map((address) => ({ address, port: DNS_PORT }));
}

export interface UpstreamsOptions {
  /** `dns.upstreams` of the configuration; null: read the file. */
  readonly configured: readonly string[] | null;
  /** Milliseconds since any fixed moment. */
  readonly now: () => number;
  /** Default: /etc/resolv.conf. */
  readonly file?: string;
}

export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #file: string;
  #servers: readonly Upstream[] = [];
  #stamp = "";
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
    this.#file = options.file ?? RESOLV_CONF;
    const { configured } = options;
    if (configured !== null) this.#servers = configured.slice(0, MOST_UPSTREAMS).map(parseUpstream);
  }

  /** At most three, in the order in which they are to be asked. A file that cannot be read: the last that was. */
  async list(): Promise<readonly Upstream[]> {
    const { configured, now } = this.#options;
    if (configured === null && now() - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
      await this.#looking;
    }
    return this.#servers;
  }

  async #look(): Promise<void> {
    try {
      const { mtimeMs, ino, size } = await stat(this.#file);
      const stamp = `${mtimeMs} ${ino} ${size}`;
      if (stamp !== this.#stamp && size <= LARGEST_FILE_BYTES) {
        this.#servers = nameserversOf(await readFile(this.#file, "utf8"));
        this.#stamp = stamp;
      }
    } catch {
      // Absent for a moment while somebody replaces it: what was read last stays good.
    }
    this.#lookedAt = this.#options.now();
  }
}
