/** The messages of one capture in this folder, in order. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMessages, type NetlinkMessage } from "../../../lib/netlink/message.ts";

export function readCapture(name: string): NetlinkMessage[] {
  const lines = readFileSync(join(__dirname, name), "utf8").trim().split("\n");
  return lines.flatMap((line) => decodeMessages(Uint8Array.from(Buffer.from(line, "hex"))));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
