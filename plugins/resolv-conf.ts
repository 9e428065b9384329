/** resolv.conf(5) as a result's `dns`. */
import type { ResultDns } from "../lib/cni/result.ts";

/** Reads the text of a resolv.conf. Of `domain` and `search` the last counts, as the resolver has it; the rest adds up. */
export function parseResolvConf(text: string): ResultDns {
  const nameservers: string[] = [];
  const options: string[] = [];
  let domain = "";
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [keyword = "", ...words] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver") nameservers.push(...words.slice(0, 1));
    else if (keyword === "options") options.push(...words);
    else if (keyword === "domain") domain = words[0] ?? domain;
    else if (keyword === "search") search = words;
  }
  return { nameservers, domain, search, options };
}
