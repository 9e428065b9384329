/** Configuration of the agent: every key, its meaning and its default, in one table. */
import { isIP } from "node:net";
import { hostname } from "node:os";
import { readConfig } from "../../lib/daemon/config-file.ts";
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
} from "../../lib/daemon/config-values.ts";
import {
  DEFAULT_AGENT_SOCKET,
  DEFAULT_CNI_CACHE_DIR,
  DEFAULT_CNI_CONF_DIR,
  DEFAULT_SOCKET,
  DEFAULT_STATE_DIR,
} from "../../lib/daemon/paths.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../../lib/log.ts";

export interface AgentConfig {
  /** Where the IPAM server listens. */
  readonly serverSocket: string;
  /** Where the agent itself listens. */
  readonly socket: string;
  readonly stateDir: string;
  readonly cniConfDir: string;
  /** Cache of results, in libcni's form. */
  readonly cniCacheDir: string;
  readonly nodeName: string;
  readonly networks: { readonly enabled: boolean };
  /** What is done about firewalls of others that drop what containers need. */
  readonly firewall: { readonly accept: FirewallAccept };
  readonly dns: {
    readonly enabled: boolean;
    /** IP addresses, with `#port` where it is not 53. Null: the nameservers of /etc/resolv.conf. */
    readonly upstreams: readonly string[] | null;
  };
  /** Plugin processes that are kept ready; 0: none. */
  readonly workers: number;
  readonly reaper: { readonly enabled: boolean };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
}

const FIREWALL_ACCEPT = ["auto", "off"] as const;
/** "auto": rules of ours are put into chains of others that drop; "off": these are left alone. */
export type FirewallAccept = (typeof FIREWALL_ACCEPT)[number];

const DEFAULT_WORKERS = 4;
const MAX_WORKERS = 64;
const MAX_UPSTREAMS = 8;
const LAST_PORT = 65_535;

/** Every key that a configuration file may have. `fairlead agent --help-config` prints this table. */
export const CONFIG_KEYS = {
  serverSocket: key(
    { type: "path", fallback: DEFAULT_SOCKET, description: "Unix socket of the IPAM server" },
    socketPath,
  ),
  socket: key(
    {
      type: "path",
      fallback: DEFAULT_AGENT_SOCKET,
      description: "Unix socket of the agent itself, mode 0600",
    },
    socketPath,
  ),
  stateDir: key(
    { type: "path", fallback: DEFAULT_STATE_DIR, description: "Directory of Fairlead's state on this node" },
    absolutePath,
  ),
  cniConfDir: key(
    { type: "path", fallback: DEFAULT_CNI_CONF_DIR, description: "Where conflists are written to" },
    absolutePath,
  ),
  cniCacheDir: key(
    {
      type: "path",
      fallback: DEFAULT_CNI_CACHE_DIR,
      description: "Cache of what was attached, as libcni keeps it",
    },
    absolutePath,
  ),
  nodeName: key({ type: "text", fallback: "the host's name", description: "Name of this node" }, nodeName),
  "networks.enabled": key(
    {
      type: "true, false",
      fallback: "true",
      description: "Write conflists, keep bridges and firewall rules",
    },
    yesOrNo,
  ),
  "firewall.accept": key(
    {
      type: FIREWALL_ACCEPT.join(", "),
      fallback: "auto",
      description:
        "Let names, published ports and what containers send through firewalls of others that drop it",
    },
    oneOf(FIREWALL_ACCEPT),
  ),
  "dns.enabled": key(
    { type: "true, false", fallback: "true", description: "Answer names on each network's gateway address" },
    yesOrNo,
  ),
  "dns.upstreams": key(
    {
      type: "list of addresses",
      fallback: "those of /etc/resolv.conf",
      description: "Who is asked about other names; `ADDRESS#PORT` for a port other than 53",
    },
    upstreams,
  ),
  workers: key(
    {
      type: "number",
      fallback: String(DEFAULT_WORKERS),
      description: "Plugin processes that are kept ready; 0: none",
    },
    workerCount,
  ),
  "reaper.enabled": key(
    { type: "true, false", fallback: "true", description: "Take back what containers that are gone left" },
    yesOrNo,
  ),
  "log.level": key(
    { type: LOG_LEVELS.join(", "), fallback: "info", description: "What is logged to stderr" },
    oneOf(LOG_LEVELS),
  ),
  "log.format": key(
    { type: LOG_FORMATS.join(", "), fallback: "json", description: "How it is written" },
    oneOf(LOG_FORMATS),
  ),
};

/** The configuration of an agent that was told nothing. */
export function defaultAgentConfig(): AgentConfig {
  return parseAgentConfig("", "defaults");
}

/**
 * Reads `text`, the content of `file`.
 * @throws FairleadError invalid-config with every problem of the file; decode-failure when it is not YAML.
 */
export function parseAgentConfig(text: string, file: string): AgentConfig {
  const values = readConfig(CONFIG_KEYS, { text, file, command: "agent" });
  return {
    serverSocket: values.serverSocket ?? DEFAULT_SOCKET,
    socket: values.socket ?? DEFAULT_AGENT_SOCKET,
    stateDir: values.stateDir ?? DEFAULT_STATE_DIR,
    cniConfDir: values.cniConfDir ?? DEFAULT_CNI_CONF_DIR,
    cniCacheDir: values.cniCacheDir ?? DEFAULT_CNI_CACHE_DIR,
    nodeName: values.nodeName ?? hostname(),
    networks: { enabled: values["networks.enabled"] ?? true },
    firewall: { accept: values["firewall.accept"] ?? "auto" },
    dns: { enabled: values["dns.enabled"] ?? true, upstreams: values["dns.upstreams"] ?? null },
    workers: values.workers ?? DEFAULT_WORKERS,
    reaper: { enabled: values["reaper.enabled"] ?? true },
    log: { level: values["log.level"] ?? "info", format: values["log.format"] ?? "json" },
  };
}

function workerCount(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_WORKERS)
    return value;
  throw wrong(`${show(value)} is not a whole number from 0 to ${MAX_WORKERS}`);
}

function upstreams(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_UPSTREAMS) {
    throw wrong(`it must be a list of at most ${MAX_UPSTREAMS} addresses`);
  }
  return value.map((item: unknown) => {
    const text = textOf(item);
    const [, address = "", port = "53"] = /^([^#]+)(?:#(\d{1,5}))?$/.exec(text) ?? [];
    const isPort = Number(port) >= 1 && Number(port) <= LAST_PORT;
    if (isIP(address) !== 0 && isPort) return text;
    throw wrong(`${show(text)} is not like 192.0.2.53, 2001:db8::53 or 192.0.2.53#5353`);
  });
}
