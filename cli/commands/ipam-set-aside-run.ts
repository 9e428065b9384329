/** What `fairlead ipam reserve`, `quarantine` and their counterparts do. Each prints the address, and returns the exit status. */
import type { QuarantineRef, QuarantineRequest, ReservationRequest } from "../../lib/ipam/api.ts";
import type { Io } from "../base/io.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";

export function withSetAside(
  io: Io,
  { socket, json }: { readonly socket: string; readonly json: boolean },
  body: (run: SetAside) => Promise<number>,
): Promise<number> {
  return withService(io, socket, (service) => body(new SetAside(service, io, json)));
}

export class SetAside {
  readonly #service: CliService;
  readonly #io: Io;
  readonly #json: boolean;

  constructor(service: CliService, io: Io, json: boolean) {
    this.#service = service;
    this.#io = io;
    this.#json = json;
  }

  async reserve(
    network: string,
    address: string,
    wish: Pick<ReservationRequest, "reason" | "stickyName">,
  ): Promise<number> {
    const networkName = await this.#nameOf(network);
    await this.#service.reserve({ networkName, address, ...wish }, CLI_CALLER);
    return this.#done({ network: networkName, address });
  }

  async unreserve(network: string, address: string): Promise<number> {
    const networkName = await this.#nameOf(network);
    await this.#service.unreserve({ networkName, address }, CLI_CALLER);
    return this.#done({ network: networkName, address });
  }

  async quarantine(address: string, wish: Omit<QuarantineRequest, "address">): Promise<number> {
    await this.#service.quarantine({ address, ...wish }, CLI_CALLER);
    return this.#done({ address });
  }

  async unquarantine(address: string, wish: Omit<QuarantineRef, "address">): Promise<number> {
    await this.#service.unquarantine({ address, ...wish }, CLI_CALLER);
    return this.#done({ address });
  }

  async #nameOf(reference: string): Promise<string> {
    return (await this.#service.getNetwork({ name: reference })).name;
  }

  async #done(what: { readonly address: string; readonly network?: string }): Promise<number> {
    await this.#io.out(this.#json ? formatJson(what) : `${what.address}\n`);
    return 0;
  }
}
