/**
 * What a plugin reports, for whoever typed the command: flags instead of keys of a configuration that nobody wrote, names
 * instead of 64 digits.
 */
import { DelegateError } from "../../lib/cni/errors.ts";
import { ERROR_TABLE, type ErrorCode } from "../../lib/errors.ts";
import { WordedError } from "../base/worded-error.ts";

/** Names of containers by their CNI container IDs; undefined where nobody knows one. */
export type NameOf = (containerId: string) => string | undefined;

/** Where a wish stands in what plugins are given, and the flag that it came from. */
const FLAGS: readonly (readonly [RegExp, string])[] = [
  [/runtimeConfig\.portMappings(\[\d+\](\.\w+)?)?/g, "--publish"],
  [/(runtimeConfig|args\.cni)\.ips(\[\d+\])?/g, "--ip"],
  [/(runtimeConfig|args\.cni)\.mac\b/g, "--mac-address"],
  [/args\.cni\.names(\[\d+\])?/g, "--alias"],
  [/args\.cni\.gatewayPriority/g, "--gw-priority"],
];

/** What says nothing to somebody who wrote no configuration and calls no plugin. */
const OMITTED: readonly RegExp[] = [
  /read network configuration (?=--)/g,
  /; a DEL or a GC takes back what one that is gone has left/g,
];

const SHORT_ID = 12;
/** Plugins whose error numbers are ours. */
const OWN_PLUGIN = /^fairlead-/;

/** What Docker never finds: the holder is no container. */
const UNKNOWN_HOLDER = /a machine on the network with MAC address [0-9a-f:]+ has it/;

/** @param thrown passes unchanged when it is not what a plugin reported. */
export function inTypedWords(thrown: unknown, networkName: string, nameOf: NameOf): unknown {
  if (!(thrown instanceof DelegateError)) return thrown;
  const code = codeOf(thrown);
  if (code === "address-in-use") return new WordedError(code, addressInUse(thrown.reason), thrown);
  const text = [thrown.reason, thrown.hint].filter((part) => part !== "").join("; ");
  return new WordedError(code, `network ${networkName}: ${typedWords(text, nameOf)}`, thrown);
}

function addressInUse(reason: string): string {
  const [holder] = UNKNOWN_HOLDER.exec(reason) ?? [];
  return `Address already in use${holder === undefined ? "" : `: ${holder}`}`;
}

export function typedWords(text: string, nameOf: NameOf): string {
  const flags = FLAGS.reduce((words, [key, flag]) => words.replace(key, flag), text);
  const plain = OMITTED.reduce((words, left) => words.replace(left, ""), flags);
  return plain.replace(/\b[0-9a-f]{64}\b/g, (id) => nameOf(id) ?? id.slice(0, SHORT_ID));
}

/** Numbers from 100 on are the plugin's own, and ours where the plugin is. */
function codeOf({ code, object, answer }: DelegateError): ErrorCode {
  if (!OWN_PLUGIN.test(object)) return code;
  const row = Object.entries(ERROR_TABLE).find(([, { cni }]) => cni === answer["code"]);
  return (row?.[0] as ErrorCode | undefined) ?? code;
}
