/** resolv.conf(5) as a result's `dns`. */
import type { ResultDns } from "../../lib/cni/result.ts";
import { parseResolvConf } from "../../lib/host/resolv-conf.ts";

/** Reads the text of a resolv.conf. Of `domain` and of `search` the last counts; the rest adds up. */
export function dnsOfResolvConf(text: string): ResultDns {
  const { nameservers, domain, search, options } = parseResolvConf(text);
  return { nameservers, domain, search, options };
}
