/** ADD: publishes the ports, all or none. Passes prevResult on as it is. */
import { configurationError } from "../../../lib/cni/config.ts";
import type { AddRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import type { FairleadError } from "../../../lib/errors.ts";
import { HostNetlink } from "../../../lib/host/netlink.ts";
import { PUBLISHING_SOCKET, publish } from "../../published-ports.ts";
import { planPublication } from "./plan.ts";

export function add(request: AddRequest): Result {
  const { prevResult, undo } = request;
  if (prevResult === null) throw notChained();
  const publication = planPublication(request, prevResult);
  if (publication !== null) {
    const host = new HostNetlink(PUBLISHING_SOCKET);
    request.atEnd(() => host.close());
    publish(publication, { host, undo });
  }
  return prevResult;
}

function notChained(): FairleadError {
  return configurationError(
    "prevResult",
    "must be called as chained plugin: there is no prevResult",
    "put it behind a plugin that makes an interface, such as fairlead-bridge",
  );
}
