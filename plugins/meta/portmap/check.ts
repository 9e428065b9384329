/** CHECK: every port leads to the container, by the rules that ADD made. */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import { checkPublication } from "../../published-ports.ts";
import { withHost } from "./host.ts";
import { planPublication } from "./plan.ts";

export function check(request: CheckRequest): void {
  const publication = planPublication(request, request.prevResult);
  if (publication !== null) withHost((host) => checkPublication(publication, host));
}
