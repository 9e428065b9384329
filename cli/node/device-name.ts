/** What attachments to a device are kept under. */
import { hashHex } from "../../lib/hash.ts";

const PREFIX = "device-";

/** The network name under which attachments to a device are kept: links may have names that networks may not. */
export function deviceNetworkName(device: string): string {
  return /^[\w.-]+$/.test(device) ? `${PREFIX}${device}` : `${PREFIX}${hashHex(device, 12)}`;
}
