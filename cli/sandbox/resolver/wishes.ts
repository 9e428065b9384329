/** `--dns-search`, `--dns-option` and `--add-host`, in the forms and words of `docker run`. */
import { tryParseAddress } from "../../../lib/addr/address.ts";
import { isHostName } from "../../../lib/addr/host-name.ts";
import { WordedError } from "../../base/worded-error.ts";

/** Docker's word for the gateway of the sandbox, in the place of an address. */
export const HOST_GATEWAY = "host-gateway";

/** A line of /etc/hosts. */
export interface ExtraHost {
  readonly name: string;
  /** An address, or {@link HOST_GATEWAY}. */
  readonly address: string;
}

/** A domain, or `.`: none at all. @throws WordedError `invalid-config` */
export function parseSearch(text: string): string {
  const domain = text.trim().replace(/(?<=.)\.$/, "");
  if (domain === "." || isHostName(domain)) return domain;
  throw new WordedError("invalid-config", `${text} is not a valid domain`);
}

/** Source of the form: resolv.conf(5). @throws WordedError `invalid-config` */
export function parseResolverOption(text: string): string {
  if (/^[a-z][a-z0-9-]*(:\d+)?$/.test(text)) return text;
  throw new WordedError("invalid-config", `${text} is not an option of resolv.conf, like ndots:2 or rotate`);
}

/** Reads `NAME:ADDRESS` or `NAME=ADDRESS`; an IPv6 address may stand in brackets. @throws WordedError `invalid-config` */
export function parseExtraHost(text: string): ExtraHost {
  const [, name = "", given = ""] = /^([^:=]*)[:=](.*)$/.exec(text) ?? [];
  if (!isHostName(name))
    throw new WordedError("invalid-config", `bad format for add-host: ${JSON.stringify(text)}`);
  const address = given.replace(/^\[(.*)\]$/, "$1");
  if (address === HOST_GATEWAY || tryParseAddress(address) !== null) return { name, address };
  throw new WordedError("invalid-config", `invalid IP address in add-host: ${JSON.stringify(given)}`);
}
