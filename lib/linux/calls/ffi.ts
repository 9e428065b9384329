/**
 * The one door to the kernel: the C functions that Fairlead calls, as one small interface.
 *
 * Bytes in, bytes out: every pointer is a whole Uint8Array that lives for the length of the call. There are no
 * structs that point at structs, no callbacks and no memory to free.
 *
 * Two back ends bind the same table of signatures: `bun:ffi` in production, `node:ffi` (Node 26 and later,
 * `--experimental-ffi`) under jest, so that what the tests run against the real kernel is what is shipped. Which
 * one is decided at the first call. `bun:ffi` is imported (looking it up at run time takes 0.3 ms longer), so under
 * Node something must stand in for the module, see jest.config.cjs; `node:ffi` is looked up, so the executable never needs it.
 */
import { FairleadError } from "../../errors.ts";
import { bindWithBun } from "./ffi-bun.ts";
import { bindWithNode } from "./ffi-node.ts";
import {
  LISTENER_SIGNATURES,
  type Libc,
  type ListenerCalls,
  NAMESPACE_SIGNATURES,
  type NamespaceCalls,
  SIGNATURES,
  type Signature,
} from "./libc.ts";

export { cString } from "./c-string.ts";
export type { Libc, ListenerCalls, NamespaceCalls } from "./libc.ts";

let bound: Libc | undefined;
let listener: ListenerCalls | undefined;
let namespaces: NamespaceCalls | undefined;

/**
 * The C library of this process. Bound at the first call, which takes about a millisecond.
 *
 * @throws FairleadError internal when the runtime has no way to call C (Node without `--experimental-ffi`; Bun
 * with its JIT switched off, by `BUN_JSC_useJIT=0` or systemd's `MemoryDenyWriteExecute`).
 */
export function libc(): Libc {
  bound ??= bind(SIGNATURES) as unknown as Libc;
  return bound;
}

/** What a process that listens calls besides. @throws as {@link libc} */
export function listenerCalls(): ListenerCalls {
  listener ??= bind(LISTENER_SIGNATURES) as unknown as ListenerCalls;
  return listener;
}

/** What makes and furnishes namespaces. @throws as {@link libc} */
export function namespaceCalls(): NamespaceCalls {
  namespaces ??= bind(NAMESPACE_SIGNATURES) as unknown as NamespaceCalls;
  return namespaces;
}

function bind(signatures: Readonly<Record<string, Signature>>): Libc {
  try {
    return process.versions["bun"] === undefined ? bindWithNode(signatures) : bindWithBun(signatures);
  } catch (cause) {
    throw new FairleadError({
      code: "internal",
      operation: "load the C library",
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: "calling C needs the just-in-time compiler: allow writable executable memory for this program",
      cause,
    });
  }
}
