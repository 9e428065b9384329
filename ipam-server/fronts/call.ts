/** How both fronts call an operation once its request has been read: by its row in lib/ipam/operations.ts. */
import { FairleadError } from "../../lib/errors.ts";
import type { Caller, IpamService } from "../../lib/ipam/api.ts";
import {
  type AnswerOf,
  OPERATIONS,
  type OperationName,
  type OperationRow,
  type RequestOf,
} from "../../lib/ipam/operations.ts";

export interface Call<N extends OperationName> {
  readonly name: N;
  /** As the row's schema has it. */
  readonly request: RequestOf<N>;
  readonly caller: Caller;
}

/** @throws FairleadError permission-denied, or what the operation throws. */
export async function callOperation<N extends OperationName>(
  service: IpamService,
  { name, request, caller }: Call<N>,
): Promise<AnswerOf<N>> {
  requireRole(name, caller);
  const method = service[name] as unknown as (request: object, caller: Caller) => Promise<AnswerOf<N>>;
  return method.call(service, request, caller);
}

/**
 * The answer of a list in pieces, each made when the one before has been taken; at once where the service has it so. Throws as
 * {@link callOperation}.
 */
export async function* callInPieces<N extends OperationName>(
  service: IpamService,
  call: Call<N>,
): AsyncGenerator<readonly unknown[]> {
  const { stream }: OperationRow = OPERATIONS[call.name];
  if (stream === undefined) {
    yield (await callOperation(service, call)) as readonly unknown[];
    return;
  }
  requireRole(call.name, call.caller);
  const method = service[stream] as (request: object) => AsyncIterable<readonly unknown[]>;
  yield* method.call(service, call.request);
}

function requireRole(name: OperationName, { role = "operator", actor }: Caller): void {
  const { title, role: needed } = OPERATIONS[name];
  if (needed === "node" || role === "operator") return;
  throw new FairleadError({
    code: "permission-denied",
    operation: title,
    object: actor,
    reason: "this is for operators, not for nodes",
    hint: "ask on the socket of the service, or with an operator's token",
  });
}
