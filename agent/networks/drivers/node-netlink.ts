/** What drivers act through on this node. */
import { HostNetlink } from "../../../lib/host/netlink.ts";

/** Sockets to the kernel, for the networks of one service. */
export class NodeNetlink extends HostNetlink {
  /** Whose networks these are: other services may have some on this host, too. */
  readonly service: string;
  /** Told what of the host's settings could not be had. */
  readonly log: (message: string) => void;

  constructor(service: string, log: (message: string) => void) {
    super();
    this.service = service;
    const told = new Set<string>();
    // Once: the same is tried again every few seconds.
    this.log = (message) => {
      if (!told.has(message)) log(message);
      told.add(message);
    };
  }
}
