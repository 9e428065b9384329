/** Network namespaces for tests of nf_tables: ours over netlink, and what `nft` says is in them. */
import { execFileSync } from "node:child_process";
import { openNetns } from "../../../lib/linux/namespaces/netns.ts";
import { NETLINK_NETFILTER, openNetlinkSocketIn } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { NFTables } from "../../../lib/netlink/nftables/nftables.ts";
import { TestNetns } from "./netns.ts";

/** A network namespace of the test's own. Needs root and nft. */
export class NftNetns extends TestNetns {
  readonly nft: NFTables;
  /** Datagrams sent so far. */
  sent = 0;
  readonly #connection: NetlinkConnection;

  constructor(label: string) {
    super(`fl-nft-${label}`);
    const netns = openNetns(this.path);
    const trace = (direction: "send" | "receive") => {
      if (direction === "send") this.sent++;
    };
    this.#connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_NETFILTER), { trace });
    netns.close();
    this.nft = new NFTables(this.#connection);
  }

  /** Applies a script of nft's language. */
  apply(script: string): void {
    const options = { input: script, stdio: "pipe", timeout: 20_000 } as const;
    execFileSync("nsenter", [`--net=${this.path}`, "nft", "-f", "-"], options);
  }

  /** The rules as nft lists them, as text, without counters. */
  list(): string {
    return this.exec("nft", "--stateless", "list", "ruleset");
  }

  /** The rules as nft lists them in JSON, without handles and version. */
  listJson(): unknown[] {
    const { nftables } = JSON.parse(this.exec("nft", "--json", "--stateless", "list", "ruleset"));
    return nftables.filter((entry: object) => !("metainfo" in entry)).map(withoutPlaces);
  }

  override close(): void {
    this.#connection.close();
    super.close();
  }
}

/** Without what says where and when something was made: handles, and the seconds that an element has left. */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== "handle" && key !== "expires");
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutPlaces(inner)]));
}
