/** Publishes anew what somebody took out of the tables, from the result of ADD. Idempotent. */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import { undoOnFailure } from "../../../lib/undo.ts";
import { publish } from "../../published-ports.ts";
import { withHost } from "./host.ts";
import { planPublication } from "./plan.ts";

export function mend(request: CheckRequest): void {
  const publication = planPublication(request, request.prevResult);
  if (publication === null) return;
  withHost((host) => undoOnFailure(request.log, (undo) => publish(publication, { host, undo })));
}
