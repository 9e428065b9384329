/** Reads the golden bytes that were captured from the kernel and from other programs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hexBytes } from "./hex.ts";

/** The bytes of a file in test/captures: `readCapture("route/vxlan-add.request")`. */
export function readCapture(name: string): Uint8Array {
  return hexBytes(readFileSync(join(__dirname, "../..", "captures", `${name}.hex`), "utf8"));
}
