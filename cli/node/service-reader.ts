/** Questions to the IPAM service that wait for their answer in place. */
import { FairleadError } from "../../lib/errors.ts";
import type { Endpoint, EndpointFilter, Network } from "../../lib/ipam/api.ts";
import { askService, type ServiceTarget } from "../service/ask-service.ts";

const TIMEOUT_MS = 10_000;

export class ServiceReader {
  readonly #target: ServiceTarget;

  constructor(target: Omit<ServiceTarget, "timeoutMs">) {
    this.#target = { ...target, timeoutMs: TIMEOUT_MS };
  }

  /**
   * The network of that name, ID or beginning of an ID; null when there is none.
   *
   * @throws FairleadError `unavailable`, `timeout`; `invalid-config` for an ambiguous beginning.
   */
  findNetwork(name: string): Network | null {
    try {
      return askService(this.#target, "getNetwork", { name });
    } catch (thrown) {
      if (thrown instanceof FairleadError && thrown.code === "not-found") return null;
      throw thrown;
    }
  }

  listEndpoints(filter: EndpointFilter): readonly Endpoint[] {
    return askService(this.#target, "listEndpoints", filter);
  }
}
