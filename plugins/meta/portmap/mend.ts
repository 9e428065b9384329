/** Publishes anew what somebody took out of the tables, from the result of ADD. Idempotent. */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import { add } from "./add.ts";

export function mend(request: CheckRequest): void {
  add(request);
}
