/** For plain Node, `node --import` this file: what imports `bun:ffi` gets its stand-in. */
import { registerHooks } from "node:module";

const STAND_IN = new URL("./no-bun-ffi.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) => next(specifier === "bun:ffi" ? STAND_IN : specifier, context),
});
