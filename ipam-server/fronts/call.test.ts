import type { Caller, IpamService } from "../../lib/ipam/api.ts";
import { OPERATION_ROWS, type OperationName } from "../../lib/ipam/operations.ts";
import { callInPieces, callOperation } from "./call.ts";

/** Answers each method with its own name and what it was called with. */
const service = new Proxy({} as IpamService, {
  get: (_, method) => (request: object, caller?: Caller) =>
    String(method).startsWith("stream")
      ? (async function* () {
          yield [method, request];
        })()
      : Promise.resolve([method, request, caller]),
});
const NODE: Caller = { actor: "node:n1", node: "n1", role: "node" };
const OPERATOR: Caller = { actor: "uid:0", node: "n1" };
const request = { name: "web" };

async function pieces(name: OperationName, caller: Caller): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const piece of callInPieces(service, { name, request, caller } as never)) all.push(piece);
  return all;
}

test.each(OPERATION_ROWS)("%s is the service's method of that name", async (name) => {
  const call = { name, request, caller: OPERATOR } as never;
  expect(await callOperation(service, call)).toEqual([name, request, OPERATOR]);
});

test("a list comes in the service's own pieces where it has any, else at once", async () => {
  expect(await pieces("listLeases", OPERATOR)).toEqual([["streamLeases", request]]);
  expect(await pieces("listEvents", OPERATOR)).toEqual([["listEvents", request, OPERATOR]]);
});

test("a node may not do what is for operators", async () => {
  const refused: string[] = [];
  for (const [name] of OPERATION_ROWS) {
    const call = { name, request, caller: NODE } as never;
    await callOperation(service, call).catch((error: { code: string; object: string }) => {
      expect([error.code, error.object]).toEqual(["permission-denied", "node:n1"]);
      refused.push(name);
    });
  }
  expect(refused).toEqual([
    "createNetwork",
    "removeNetwork",
    "reserve",
    "unreserve",
    "unquarantine",
    "checkConsistency",
  ]);
});
