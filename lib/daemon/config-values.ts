/** Values that more than one daemon's configuration file has, and how a parser refuses one. */
import { isAbsolute } from "node:path";
import { FairleadError } from "../errors.ts";
import type { ConfigKey } from "./config-file.ts";
import { MAX_SOCKET_PATH_BYTES } from "./unix-socket.ts";

export function key<T>(words: Omit<ConfigKey<T>, "parse">, parse: (value: unknown) => T): ConfigKey<T> {
  return { ...words, parse };
}

/** What a parser throws; the reader adds file, line and key. */
export function wrong(text: string): Error {
  return new FairleadError({ code: "invalid-config", operation: "read configuration", reason: text });
}

export function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? String(value);
}

export function textOf(value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw wrong(`${show(value)} is not text`);
}

export function absolutePath(value: unknown): string {
  const path = textOf(value);
  if (!isAbsolute(path)) throw wrong(`${show(path)} is not an absolute path`);
  return path;
}

export function socketPath(value: unknown): string {
  const path = absolutePath(value);
  const length = Buffer.byteLength(path);
  if (length <= MAX_SOCKET_PATH_BYTES) return path;
  throw wrong(`the path has ${length} bytes; the kernel takes at most ${MAX_SOCKET_PATH_BYTES}`);
}

export function yesOrNo(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(`${show(value)} is neither true nor false`);
}

export function nodeName(value: unknown): string {
  const name = textOf(value);
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name)) return name;
  throw wrong(`${show(name)} is not a host name: letters, digits, ".", "-" and "_", at most 253`);
}

export function oneOf<T extends string>(words: readonly T[]): (value: unknown) => T {
  return (value) => {
    const word = words.find((known) => known === value);
    if (word === undefined) throw wrong(`${show(value)} is not one of ${words.join(", ")}`);
    return word;
  };
}
