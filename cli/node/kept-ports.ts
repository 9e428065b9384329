/**
 * Published ports of a container that was disconnected: they are the container's, not the network's, so the next network that it
 * is connected to and that can publish has them. One file a container, in the run directory: gone after a reboot, as containers are.
 */
import { decodeJson, isObject, type Json, type JsonObject } from "../../lib/cni/json.ts";
import {
  makeDirectories,
  readFileIfExists,
  removeFile,
  writeFileDurable,
} from "../../lib/linux/files/files.ts";
import type { Conflist } from "../../lib/runtime/conflist.ts";
import type { Node } from "./node.ts";

const CAPABILITY = "portMappings";
const READING = { operation: "read published ports", fault: "decode-failure" } as const;

/** Keeps what the attachment published, if anything. Replaces what was kept before. */
export function keepPorts(node: Node, containerId: string, capabilityArgs: JsonObject = {}): void {
  const mappings = capabilityArgs[CAPABILITY];
  if (!Array.isArray(mappings) || mappings.length === 0) return;
  const text = `${JSON.stringify({ [CAPABILITY]: mappings })}\n`;
  makeDirectories(folderOf(node), 0o700);
  writeFileDurable(pathOf(node, containerId), new TextEncoder().encode(text));
}

/** Idempotent. */
export function forgetPorts(node: Node, containerId: string): void {
  removeFile(pathOf(node, containerId));
}

/**
 * What the container is given on a network: with the ports that were kept, unless it is given others, or the network publishes none.
 * @throws FairleadError decode-failure
 */
export function withKeptPorts(
  node: Node,
  containerId: string,
  { conflist, capabilityArgs }: { readonly conflist: Conflist; readonly capabilityArgs: JsonObject },
): JsonObject {
  const isServed = conflist.plugins.some(({ capabilities }) => capabilities.includes(CAPABILITY));
  if (!isServed || capabilityArgs[CAPABILITY] !== undefined) return capabilityArgs;
  const kept = readKept(node, containerId);
  return kept === undefined ? capabilityArgs : { ...capabilityArgs, [CAPABILITY]: kept };
}

function readKept(node: Node, containerId: string): Json | undefined {
  const bytes = readFileIfExists(pathOf(node, containerId));
  const read = bytes === null ? null : decodeJson(bytes, READING);
  return isObject(read ?? undefined) ? (read as JsonObject)[CAPABILITY] : undefined;
}

function folderOf({ paths }: Node): string {
  return `${paths.runDirectory}/ports`;
}

function pathOf(node: Node, containerId: string): string {
  return `${folderOf(node)}/${containerId}.json`;
}
