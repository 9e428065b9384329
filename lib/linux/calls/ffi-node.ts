/** Back end of {@link Libc} on `node:ffi` (Node 26 and later, run with `--experimental-ffi`). */
import type { CType, Libc, Signature } from "./libc.ts";

const NODE_TYPES: Readonly<Record<CType, string>> = {
  i32: "int32",
  i64: "int64",
  usize: "uint64",
  pointer: "pointer",
  void: "void",
};

type NodeFfi = typeof import("node:ffi");
type Definitions = Parameters<NodeFfi["dlopen"]>[1];
type AnyFunction = (...args: unknown[]) => unknown;

/** @throws an Error when this Node has no `node:ffi`, or the C library lacks a function. */
export function bindWithNode(signatures: Readonly<Record<string, Signature>>): Libc {
  const ffi = process.getBuiltinModule("node:ffi") as NodeFfi | undefined;
  if (ffi === undefined) throw new Error("this Node has no node:ffi: Node 26 or later is needed");
  const definitions: Record<string, { arguments: string[]; return: string }> = {
    __errno_location: { arguments: [], return: "pointer" },
  };
  for (const [name, { args, returns }] of Object.entries(signatures)) {
    definitions[name] = { arguments: args.map((type) => NODE_TYPES[type]), return: NODE_TYPES[returns] };
  }
  const functions = ffi.dlopen(null, definitions as Definitions).functions as Record<string, AnyFunction>;
  const errnoLocation = functions["__errno_location"]?.() as bigint;
  const libc: Record<string, AnyFunction> = { errno: () => ffi.getInt32(errnoLocation) };
  for (const [name, signature] of Object.entries(signatures)) {
    const call = functions[name];
    if (call !== undefined) libc[name] = withNumbers(call, signature);
  }
  return libc as unknown as Libc;
}

/** Node wants and gives 64-bit integers as bigint; {@link Libc} speaks of numbers. */
function withNumbers(call: AnyFunction, { args, returns }: Signature): AnyFunction {
  const wide = args.map((type) => type === "i64" || type === "usize");
  return (...values) => {
    const result = call(...values.map((value, at) => (wide[at] ? BigInt(value as number) : value)));
    return returns === "i64" || returns === "usize" ? Number(result) : result;
  };
}
