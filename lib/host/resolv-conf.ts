/** resolv.conf(5), read for whoever passes its lines on. */

export interface ResolvConf {
  readonly nameservers: readonly string[];
  /** Of the last `domain` that names one; empty: none does. */
  readonly domain: string;
  /** Of the last `search`. */
  readonly search: readonly string[];
  /** Of the last `domain` or `search`, which is what the resolver goes by. */
  readonly suffixes: readonly string[];
  readonly options: readonly string[];
}

/** Of `domain` and `search` the last counts, the rest adds up. Any text can be read: what says nothing is passed over. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  const options: string[] = [];
  let domain = "";
  let search: readonly string[] = [];
  let suffixes: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [keyword = "", ...words] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver") nameservers.push(...words.slice(0, 1));
    else if (keyword === "options") options.push(...words);
    else if (keyword === "domain") domain = words[0] ?? domain;
    else if (keyword === "search") search = words;
    if (keyword === "domain" || keyword === "search") suffixes = words;
  }
  return { nameservers, domain, search, suffixes, options };
}
