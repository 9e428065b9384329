/** The service and the agent as commands use them. */
import type { IpamService } from "../../lib/ipam/api.ts";
import type { SyncAnswer } from "../../lib/rpc/agent-api.ts";

/** What commands ask of the service. The server fills in who calls. */
export type CliService = Pick<
  IpamService,
  | "info"
  | "createNetwork"
  | "listNetworks"
  | "getNetwork"
  | "removeNetwork"
  | "networkStatus"
  | "listLeases"
  | "streamLeases"
  | "listEndpoints"
  | "streamEndpoints"
  | "streamTenancies"
  | "listNodes"
  | "checkConsistency"
  | "reserve"
  | "unreserve"
  | "quarantine"
  | "unquarantine"
  | "recover"
  | "release"
>;

/** What commands ask of the agent of this node. */
export interface CliAgent {
  /**
   * Waits until this node has followed the service.
   * @throws unavailable when no agent runs here, timeout when it did not follow in time.
   */
  sync(): Promise<SyncAnswer>;
}

/** A service, and the end of its connections. */
export interface OpenService {
  readonly service: CliService;
  close(): void;
}

/** How service and agent are reached; part of `Io`, so that tests stand in for both. */
export interface Connections {
  service(socket: string): OpenService;
  agent(socket: string): CliAgent;
}

/** The server fills in who calls: this is only what the interface asks for. */
export const CLI_CALLER = { actor: "cli", node: "" };
