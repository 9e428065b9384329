/** Back end of {@link Libc} on `bun:ffi`, the one that is shipped. */
import { dlopen, read } from "bun:ffi";
import type { CType, Libc, Signature } from "./libc.ts";

/** `i64_fast` and `u64_fast` take and give plain numbers as long as they are exact. */
const BUN_TYPES: Readonly<Record<CType, string>> = {
  i32: "i32",
  i64: "i64_fast",
  usize: "u64_fast",
  pointer: "ptr",
  void: "void",
};

/** Names of the C library: glibc's, then musl's on both architectures. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`] as const;

type Definitions = Parameters<typeof dlopen>[1];

/** @throws whatever Bun throws when it cannot compile calls to C, or when the C library lacks a function. */
export function bindWithBun(signatures: Readonly<Record<string, Signature>>): Libc {
  const definitions: Record<string, { args: string[]; returns: string }> = {
    __errno_location: { args: [], returns: "ptr" },
  };
  // Plain loops: this is on the path of every start, where the first call of each array method costs more.
  for (const name in signatures) {
    const { args, returns } = signatures[name] as Signature;
    const types: string[] = [];
    for (const type of args) types.push(BUN_TYPES[type]);
    definitions[name] = { args: types, returns: BUN_TYPES[returns] };
  }
  const symbols = openLibrary(definitions as Definitions);
  // Each thread has its own errno at a fixed place; a worker binds again, because modules are per worker.
  const errnoLocation = symbols["__errno_location"]?.() as Parameters<typeof read.i32>[0];
  return Object.assign(symbols, { errno: () => read.i32(errnoLocation, 0) }) as unknown as Libc;
}

function openLibrary(definitions: Definitions): Record<string, () => unknown> {
  const [glibc, musl] = LIBRARIES;
  try {
    return dlopen(glibc, definitions).symbols as Record<string, () => unknown>;
  } catch (cause) {
    try {
      return dlopen(musl, definitions).symbols as Record<string, () => unknown>;
    } catch {
      throw cause; // What glibc's loader said is what most readers need.
    }
  }
}
