/** How this host looks names up, as far as a container can do the same. */
import { readFileIfExists } from "../linux/files/files.ts";
import { parseResolvConf } from "./resolv-conf.ts";

export interface HostResolver {
  /** Without those on loopback: in a sandbox these would be its own. */
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

const RESOLV_CONF = "/etc/resolv.conf";
/** Where systemd-resolved names the servers behind its stub on 127.0.0.53. Source: systemd-resolved.service(8). */
const BEHIND_THE_STUB = "/run/systemd/resolve/resolv.conf";

export function readHostResolver(): HostResolver {
  return hostResolver(readText(RESOLV_CONF), () => readText(BEHIND_THE_STUB));
}

/** @param behind what is asked where the host's own servers are all on loopback. Pure. */
export function hostResolver(text: string, behind: () => string): HostResolver {
  const own = parse(text);
  const nameservers = own.nameservers.filter(isReachable);
  if (nameservers.length > 0 || own.nameservers.length === 0) return { ...own, nameservers };
  return { ...own, nameservers: parse(behind()).nameservers.filter(isReachable) };
}

function isReachable(address: string): boolean {
  return !address.startsWith("127.") && address !== "::1";
}

function parse(text: string): HostResolver {
  const { nameservers, suffixes: search, options } = parseResolvConf(text);
  return { nameservers, search, options };
}

function readText(path: string): string {
  const bytes = readFileIfExists(path);
  return bytes === null ? "" : new TextDecoder().decode(bytes);
}
