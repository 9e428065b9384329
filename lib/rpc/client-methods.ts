/** The methods of a client, made from the rows of the operations: what differs between clients is how they ask. */
import type { IpamService } from "../ipam/api.ts";
import { OPERATION_ROWS, type OperationName } from "../ipam/operations.ts";

export interface Ways {
  /** The answer to a request; of a list all of it. */
  readonly ask: (name: OperationName, request: object) => Promise<unknown>;
  /** The answer of a list in pieces. */
  readonly pieces: (name: OperationName, request: object) => AsyncIterable<readonly unknown[]>;
}

/** All but the watch. The server checks what it is sent and answers in the shapes of the API: that is its contract. */
export function clientMethods({ ask, pieces }: Ways): Omit<IpamService, "watchEvents"> {
  const methods: Record<string, (request?: object) => unknown> = {};
  for (const [name, { stream }] of OPERATION_ROWS) {
    methods[name] = (request = {}) => ask(name, request);
    if (stream !== undefined) methods[stream] = (request = {}) => pieces(name, request);
  }
  return methods as unknown as Omit<IpamService, "watchEvents">;
}
