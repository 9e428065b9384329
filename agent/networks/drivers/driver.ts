/**
 * What a driver is on a node: how a network of it is attached to, what it needs here and how that is put in place, what it leaves
 * behind, and what is wrong with it.
 *
 * All else of the agent asks by these few methods, whatever the driver is; `agent/networks/drivers.ts` says which there are.
 */
import type { IsolationSpec } from "../../../lib/host/firewall/isolation/in-place.ts";
import type { Network } from "../../../lib/ipam/api.ts";
import type { AgentProblem } from "../../../lib/rpc/agent-api.ts";
import type { NodeNetlink } from "./node-netlink.ts";

/** What of the agent's configuration, and of the host's, a conflist depends on. */
export interface ConflistSettings {
  /** Path of the service's socket. */
  readonly serverSocket: string;
  /** Where the service's intents are. */
  readonly stateDir: string;
  /** True when names are answered on the gateway addresses. */
  readonly answersNames: boolean;
  /** Domains in which this host searches for short names. */
  readonly searchDomains: readonly string[];
}

/** What the driver says in a network's conflist. */
export interface ConflistPart {
  /** The section of the plugin that attaches. */
  readonly plugin: object;
  /** Said of the network besides its ID. */
  readonly facts?: object;
}

/** A network whose containers' packets pass the host's firewall. */
export interface RoutedNetwork {
  /** How it is kept apart, and by which link it is there. */
  readonly isolation: IsolationSpec;
  readonly hasIpv6: boolean;
}

/** One network on this node, worked out once from what the service says of it. */
export interface NodeNetwork {
  readonly network: Network;
  /** Null: its packets do not pass the host's firewall. */
  readonly routed: RoutedNetwork | null;
  /** Null: no conflist is written for it. */
  conflist(settings: ConflistSettings): ConflistPart | null;
  /**
   * Makes what the network has on the node besides its conflist, before that one is written. Idempotent.
   * @throws FairleadError what the kernel refuses, and what is in the way
   */
  ensure(host: NodeNetlink): Promise<void>;
  /** Makes sure that containers can be attached, now that all is in place. @throws FairleadError why they cannot. */
  requireUsable(host: NodeNetlink): void;
  /** What works less well than the network says, by settings of the host. @throws SyscallError */
  problems(): readonly AgentProblem[];
}

/** What is known about networks that are there, and that are not. */
export interface Census {
  /** Networks that are gone for certain, by ID. */
  readonly isGone: (networkId: string) => boolean;
  readonly knownNames: ReadonlySet<string>;
  /** Names of networks that are gone for certain. */
  readonly goneNames: ReadonlySet<string>;
}

/** What networks that are gone left behind. */
export interface Leftover {
  /** The kind of thing, in a word. */
  readonly what: string;
  readonly name: string;
  /** Networks whose rules go with it. */
  readonly networkNames: readonly string[];
  /** Returns false while somebody uses it: to be tried again. @throws FairleadError timeout, kernel-refused, … */
  remove(): Promise<boolean>;
}

export interface NodeDriver {
  /** The network, of this driver, as it is on this node. Pure. */
  networkOf(network: Network): NodeNetwork;
  /** What of all that this driver makes is left of networks that are gone. @throws FairleadError kernel-refused */
  findLeftovers(host: NodeNetlink, census: Census): readonly Leftover[];
}
