/** What this host reaches by other ways: a subnet out of the default pools must not hide it. */
import { readFileSync } from "node:fs";
import { formatAddress, tryParseAddress } from "../../lib/addr/address.ts";
import { formatPrefix, type Prefix } from "../../lib/addr/prefix.ts";
import { listRoutedPrefixes } from "../../lib/host/addressing/routed-prefixes.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";

/** As many as the service takes; the widest first. */
const MOST_PREFIXES = 4096;

/**
 * Prefixes that this network namespace routes, in any table, and addresses of the name servers. Default routes are left out.
 *
 * @throws FairleadError, SyscallError: what cannot be looked at cannot be told to be free.
 */
export function readHostPrefixes(): string[] {
  const routes = readRoutedPrefixes().sort((a, b) => a.length - b.length);
  const all = [...parseNameServers(readText("/etc/resolv.conf")), ...routes.map(formatPrefix)];
  return [...new Set(all)].slice(0, MOST_PREFIXES);
}

function readRoutedPrefixes(): Prefix[] {
  const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  try {
    return listRoutedPrefixes(connection);
  } finally {
    connection.close();
  }
}

/** Empty where it cannot be read: a host without name servers is a host. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Source: resolv.conf(5). A zone (`fe80::1%eth0`) is no part of the address. */
export function parseNameServers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+([^\s%#;]+)/gm)].flatMap(([, word = ""]) => {
    const address = tryParseAddress(word);
    return address === null ? [] : [formatAddress(address)];
  });
}
