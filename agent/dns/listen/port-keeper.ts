/**
 * Keeps the ports of names on gateway addresses for this host, whatever containers publish: a container that publishes port 53
 * on every address must not take the names of all networks away with it.
 */
import { parseAddress } from "../../../lib/addr/address.ts";
import { removeUnusedPortmap } from "../../../lib/host/firewall/ports/chains.ts";
import { type HostPort, PORT_PROTOCOLS } from "../../../lib/host/firewall/ports/holder.ts";
import {
  keepHostPorts,
  releaseHostPorts,
  releaseHostPortsOf,
} from "../../../lib/host/firewall/ports/kept.ts";
import { HostNetlink } from "../../../lib/host/netlink.ts";
import type { Logger } from "../../../lib/log.ts";
import type { NFTables } from "../../../lib/netlink/nftables/nftables.ts";

const OWNER = "fairlead agent";

/** Names are served by these. */
const PROTOCOLS = PORT_PROTOCOLS.filter((protocol) => protocol !== "sctp");

/** What a listener tells of itself. None throws: names are served all the same. */
export interface PortKeeper {
  keep(address: string, port: number): void;
  release(address: string, port: number): void;
}

/** The keeper of this netns. Its socket stays open, because closing one that removed something takes 13 ms. */
export class NodePortKeeper implements PortKeeper {
  readonly #logger: Logger;
  readonly #netlink = new HostNetlink();
  #isLeft = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  keep(address: string, port: number): void {
    this.#attempt("keep", address, (nft) => keepHostPorts(nft, portsOf(address, port), OWNER));
  }

  release(address: string, port: number): void {
    if (this.#isLeft) return;
    this.#attempt("release", address, (nft) => {
      releaseHostPorts(nft, portsOf(address, port));
      removeUnusedPortmap(nft);
    });
  }

  /** Lets go of what an agent before this one kept, which ended without a word. */
  begin(): void {
    this.#attempt("release", "", (nft) => releaseHostPortsOf(nft, OWNER));
  }

  /** Releases nothing from now on: another process has taken over what is kept. */
  leave(): void {
    this.#isLeft = true;
  }

  close(): void {
    this.#netlink.close();
  }

  #attempt(verb: string, address: string, action: (nft: NFTables) => void): void {
    try {
      action(this.#netlink.nft);
    } catch (thrown) {
      this.close();
      this.#logger.warn(
        { address, reason: (thrown as Error).message },
        `dns: cannot ${verb} the port for this host`,
      );
    }
  }
}

function portsOf(address: string, hostPort: number): HostPort[] {
  return PROTOCOLS.map((protocol) => ({ protocol, hostAddress: parseAddress(address), hostPort }));
}
