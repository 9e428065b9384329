/** Configuration of the server: every key, its meaning and its default, in one table. */

import { isIPv4, isIPv6 } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { readConfig } from "../lib/daemon/config-file.ts";
import {
  absolutePath,
  key,
  nodeName,
  oneOf,
  show,
  socketPath,
  textOf,
  wrong,
  yesOrNo,
} from "../lib/daemon/config-values.ts";
import { DEFAULT_SOCKET, DEFAULT_STATE_DIR } from "../lib/daemon/paths.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../lib/log.ts";
import { type DefaultPool, parseDefaultPool } from "./operations/default-pools.ts";
import { DEFAULT_KEEP, type Keep } from "./operations/retention.ts";

export interface TcpAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface UnixAddress {
  readonly path: string;
}

export interface ServerConfig {
  readonly socket: string;
  readonly stateDir: string;
  readonly nodeName: string;
  readonly coolingSeconds: number;
  /** Null: {@link standardPools}. */
  readonly defaultPools: readonly DefaultPool[] | null;
  /** Whether the networks `bridge`, `host` and `none` are made when they are missing. */
  readonly predefinedNetworks: boolean;
  readonly history: { readonly keep: Keep };
  /** Null: no listener. */
  readonly http: { readonly listen: TcpAddress | null };
  readonly grpc: { readonly listen: TcpAddress | UnixAddress | null };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** Where CNI plugins leave the releases that they could not deliver. */
  readonly intentsDir: string;
}

const DEFAULT_COOLING_SECONDS = 60;
/** An address that shall stay away for longer is excluded or quarantined instead. */
const MAX_COOLING_SECONDS = 31_536_000;

/** Every key that a configuration file may have. README and `fairlead server --help-config` print this table. */
export const CONFIG_KEYS = {
  socket: key(
    {
      type: "path",
      fallback: DEFAULT_SOCKET,
      description: "Unix socket for CNI plugins and the CLI, mode 0600",
    },
    socketPath,
  ),
  stateDir: key(
    {
      type: "path",
      fallback: DEFAULT_STATE_DIR,
      description: "Directory of the store and the token, mode 0700",
    },
    absolutePath,
  ),
  nodeName: key(
    {
      type: "text",
      fallback: "the host's name",
      description: "Name of this node, recorded with every lease",
    },
    nodeName,
  ),
  coolingSeconds: key(
    {
      type: "seconds",
      fallback: String(DEFAULT_COOLING_SECONDS),
      description: "How long a released address stays out of use, where its network does not say",
    },
    coolingSeconds,
  ),
  defaultPools: key(
    {
      type: "list of {base, size}",
      fallback: "three IPv4 pools and one IPv6 pool, see conf/server.yaml",
      description:
        "Prefixes that networks without a subnet get theirs from, in blocks of prefix length `size`",
    },
    defaultPools,
  ),
  predefinedNetworks: key(
    {
      type: "true or false",
      fallback: "true",
      description: "Whether networks bridge, host and none are made when they are missing",
    },
    yesOrNo,
  ),
  "history.keep": key(
    {
      type: "{days, events}",
      fallback: `{days: ${DEFAULT_KEEP.days}, events: ${DEFAULT_KEEP.events}}`,
      description:
        "How much of the event log is kept: what is older than so many days, or beyond so many events, goes",
    },
    historyKeep,
  ),
  "http.listen": key(
    {
      type: "host:port",
      fallback: "off",
      description: "HTTP on loopback TCP; every request needs the token",
    },
    loopback,
  ),
  "grpc.listen": key(
    {
      type: "host:port or unix:/path",
      fallback: "off",
      description: "gRPC on loopback TCP (every call needs the token) or on a unix socket of mode 0600",
    },
    loopbackOrSocket,
  ),
  "log.level": key(
    { type: LOG_LEVELS.join(", "), fallback: "info", description: "What is logged to stderr" },
    oneOf(LOG_LEVELS),
  ),
  "log.format": key(
    { type: LOG_FORMATS.join(", "), fallback: "json", description: "How it is written" },
    oneOf(LOG_FORMATS),
  ),
  intentsDir: key(
    {
      type: "path",
      fallback: "release-intents in stateDir",
      description: "Where CNI plugins leave the releases that they could not deliver",
    },
    absolutePath,
  ),
};

/** The configuration of a server that was told nothing. */
export function defaultConfig(): ServerConfig {
  return parseConfig("", "defaults");
}

/**
 * Reads `text`, the content of `file`.
 * @throws FairleadError invalid-config with every problem of the file; decode-failure when it is not YAML.
 */
export function parseConfig(text: string, file: string): ServerConfig {
  const values = readConfig(CONFIG_KEYS, { text, file, command: "server" });
  const stateDir = values.stateDir ?? DEFAULT_STATE_DIR;
  return {
    socket: values.socket ?? DEFAULT_SOCKET,
    stateDir,
    nodeName: values.nodeName ?? hostname(),
    coolingSeconds: values.coolingSeconds ?? DEFAULT_COOLING_SECONDS,
    defaultPools: values.defaultPools ?? null,
    predefinedNetworks: values.predefinedNetworks ?? true,
    history: { keep: values["history.keep"] ?? DEFAULT_KEEP },
    http: { listen: values["http.listen"] ?? null },
    grpc: { listen: values["grpc.listen"] ?? null },
    log: { level: values["log.level"] ?? "info", format: values["log.format"] ?? "json" },
    intentsDir: values.intentsDir ?? join(stateDir, "release-intents"),
  };
}

function coolingSeconds(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_COOLING_SECONDS) {
    return value;
  }
  throw wrong(`${show(value)} is not a whole number of seconds from 0 to ${MAX_COOLING_SECONDS}`);
}

const MOST_DAYS = 36_500;

function historyKeep(value: unknown): Keep {
  const { days = DEFAULT_KEEP.days, events = DEFAULT_KEEP.events, ...others } = mappingOf(value);
  const [other] = Object.keys(others);
  if (other !== undefined) throw wrong(`${show(value)}: unknown key "${other}"`);
  return {
    days: wholeNumber("days", days, MOST_DAYS),
    events: wholeNumber("events", events, Number.MAX_SAFE_INTEGER),
  };
}

function mappingOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw wrong(`${show(value)} is not like {days: 90, events: 10000000}`);
}

function wholeNumber(name: string, value: unknown, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw wrong(`${name}: ${show(value)} is not a whole number from 1 to ${most}`);
}

function defaultPools(value: unknown): readonly DefaultPool[] {
  if (!Array.isArray(value)) throw wrong("it must be a list of {base: PREFIX, size: LENGTH}");
  return value.map((item: unknown) => {
    const { base, size, ...others } = (item ?? {}) as Record<string, unknown>;
    const [other] = Object.keys(others);
    if (other !== undefined) throw wrong(`${show(item)}: unknown key "${other}"`);
    if (typeof base !== "string" || typeof size !== "number") {
      throw wrong(`${show(item)} is not like {base: 10.64.0.0/13, size: 24}`);
    }
    parseDefaultPool({ base, size });
    return { base, size };
  });
}

function tcpAddress(text: string): TcpAddress {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4 ?? "";
  if (port === undefined || Number(port) > 65_535) {
    throw wrong(`${show(text)} is not like 127.0.0.1:7410 or [::1]:7410`);
  }
  return { host, port: Number(port) };
}

function isLoopback(host: string): boolean {
  return (
    host === "localhost" || (isIPv4(host) && host.startsWith("127.")) || (isIPv6(host) && host === "::1")
  );
}

function loopback(value: unknown): TcpAddress {
  const address = tcpAddress(textOf(value));
  if (isLoopback(address.host)) return address;
  throw wrong(
    `${show(address.host)} is not a loopback address: without TLS the server listens on 127.0.0.1 and [::1] only`,
  );
}

function loopbackOrSocket(value: unknown): TcpAddress | UnixAddress {
  const text = textOf(value);
  return text.startsWith("unix:")
    ? { path: socketPath(text.slice("unix:".length).replace(/^\/\/(?=\/)/, "")) }
    : loopback(text);
}
