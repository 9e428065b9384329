/** Stands where Node has no `bun:ffi`. Calling it is a fault of the choice between the back ends. */
function unavailable(): never {
  throw new Error("bun:ffi is not available on Node: lib/linux/calls/ffi.ts chose the wrong back end");
}

export const dlopen = unavailable;
export const read = { i32: unavailable };
