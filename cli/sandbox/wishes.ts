/** What `fairlead sandbox create` is told, in the forms of `docker run`. */

import { WordedError } from "../base/worded-error.ts";
import type { AttachmentWishes } from "../node/wishes.ts";

export interface NetworkWish {
  readonly reference: string;
  readonly wishes: AttachmentWishes;
}

interface MutableWishes {
  ip?: string;
  ip6?: string;
  mac?: string;
  gatewayPriority?: number;
  aliases: string[];
  links: string[];
}

const NETWORK_KEYS: Readonly<Record<string, (wishes: MutableWishes, value: string) => void>> = {
  ip: (wishes, value) => {
    wishes.ip = value;
  },
  ip6: (wishes, value) => {
    wishes.ip6 = value;
  },
  alias: (wishes, value) => void wishes.aliases.push(value),
  link: (wishes, value) => void wishes.links.push(value),
  "mac-address": (wishes, value) => {
    wishes.mac = value;
  },
  "gw-priority": (wishes, value) => {
    wishes.gatewayPriority = Number(value);
  },
};

/**
 * Reads `NETWORK`, `NETWORK,ip=10.1.0.5,alias=web`, or with `name=NETWORK` anywhere.
 * @throws WordedError `invalid-config`
 */
export function parseNetworkWish(text: string): NetworkWish {
  const wishes: MutableWishes = { aliases: [], links: [] };
  let reference = "";
  for (const [index, part] of text.split(",").entries()) {
    const equals = part.indexOf("=");
    const [key, value] = equals < 0 ? ["name", part] : [part.slice(0, equals).trim(), part.slice(equals + 1)];
    const set = NETWORK_KEYS[key];
    if (key === "name" && (index === 0 || equals >= 0)) reference = value;
    else if (set === undefined || value === "") throw badNetwork(text, part);
    else set(wishes, value);
  }
  if (reference === "" || Number.isNaN(wishes.gatewayPriority)) throw badNetwork(text, text);
  return { reference, wishes };
}

function badNetwork(text: string, part: string): WordedError {
  const known = Object.keys(NETWORK_KEYS).join(", ");
  return new WordedError(
    "invalid-config",
    `invalid network ${JSON.stringify(text)}: ${JSON.stringify(part)} is not understood; write NETWORK[,KEY=VALUE]… with the keys ${known}`,
  );
}
