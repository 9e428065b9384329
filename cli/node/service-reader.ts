/**
 * Questions to the IPAM service that wait for their answer in place.
 *
 * For commands that do one thing and are gone: the client for programs (lib/rpc) takes longer to load than these take.
 */
import { FairleadError } from "../../lib/errors.ts";
import type { Endpoint, EndpointFilter, Network } from "../../lib/ipam/api.ts";
import { getJson } from "./unix-http.ts";

const TIMEOUT_MS = 10_000;

export class ServiceReader {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /**
   * The network of that name, ID or beginning of an ID; null when there is none.
   *
   * @throws FairleadError `unavailable`, `timeout`; `invalid-config` for an ambiguous beginning.
   */
  findNetwork(name: string): Network | null {
    try {
      return getJson(this.#socket, `/v1/networks/${encodeURIComponent(name)}`, TIMEOUT_MS) as Network;
    } catch (thrown) {
      if (thrown instanceof FairleadError && thrown.code === "not-found") return null;
      throw thrown;
    }
  }

  listEndpoints(filter: EndpointFilter): readonly Endpoint[] {
    const query = new URLSearchParams(Object.entries(filter)).toString();
    const answer = getJson(this.#socket, `/v1/endpoints?${query}`, TIMEOUT_MS) as { endpoints: Endpoint[] };
    return answer.endpoints;
  }
}
