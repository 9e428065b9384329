/**
 * Which requests a worker takes: those for which it makes no difference whether the plugin runs in its own process or here.
 * Everything else is declined, and then runs there.
 */
import { decodeConfig } from "../../lib/cni/config.ts";
import { fieldValue } from "../../lib/cni/fields.ts";
import { isObject, type JsonObject } from "../../lib/cni/json.ts";
import type { AttachmentKey } from "../../lib/cni/request.ts";
import { placeOf } from "../../lib/linux/processes/process-place.ts";
import type { Peer } from "../../lib/linux/sockets/listening-socket.ts";
import type { ResidentRequest } from "../../lib/resident/frames.ts";
import { BUILD } from "../../lib/version.ts";
import { isPluginName } from "../names.ts";

const ROOT = 0;

/** IPAM that is done in process. Any other would be executed, and might hang. */
const OWN_IPAM_TYPES = ["", "fairlead-ipam", "fairlead-static"];

/** Paths in the `ipam` section: they would be relative to the plugin's working directory. */
const IPAM_PATHS = ["socket", "stateDir", "resolvConf"] as const;

/** Paths that mean something else to each process. */
const OWN_PATHS = ["/proc/self/", "/proc/thread-self/", "/dev/fd/"];

/** Reasons are for the log of somebody who wonders why workers are not used. */
export function reasonToDecline(request: ResidentRequest, peer: Peer, ownPlace: string): string | null {
  if (peer.uid !== ROOT) return `the client is user ${peer.uid}`;
  if (request.build !== BUILD) return "the client is another build";
  if (!isPluginName(request.plugin)) return "no such plugin";
  if (peer.pid === 0 || placeOf(peer.pid) !== ownPlace) return "the client stands in other namespaces";
  // Its list of who is valid ages: what it removes must not outlive who knows that nobody has been added since.
  if (request.env["CNI_COMMAND"] === "GC") return "a GC must end with its client";
  const netns = request.env["CNI_NETNS"] ?? "";
  if (netns !== "" && !isGlobal(netns)) return "CNI_NETNS depends on the client's process";
  return reasonInConfiguration(request.stdin);
}

/** The attachment that an ADD or DEL is about; null for other verbs, and for what the plugin is going to refuse. */
export function attachmentOf({ env, stdin }: ResidentRequest): AttachmentKey | null {
  const { CNI_COMMAND: verb, CNI_CONTAINERID: containerId = "", CNI_IFNAME: ifname = "" } = env;
  if (verb !== "ADD" && verb !== "DEL") return null;
  const networkName = fieldValue(configurationOf(stdin), "name");
  return typeof networkName === "string" ? { networkName, containerId, ifname } : null;
}

function isGlobal(path: string): boolean {
  return path.startsWith("/") && !OWN_PATHS.some((own) => path.startsWith(own));
}

function reasonInConfiguration(stdin: Uint8Array): string | null {
  const ipam = fieldValue(configurationOf(stdin), "ipam");
  if (!isObject(ipam)) return null;
  const type = fieldValue(ipam, "type") ?? "";
  if (typeof type !== "string" || !OWN_IPAM_TYPES.includes(type)) return "its IPAM is another plugin";
  for (const name of IPAM_PATHS) {
    const path = fieldValue(ipam, name) ?? "";
    if (path !== "" && !(typeof path === "string" && isGlobal(path))) {
      return `ipam.${name} depends on the client's process`;
    }
  }
  return null;
}

/** What is no configuration is declared so by the plugin, wherever it runs. */
function configurationOf(stdin: Uint8Array): JsonObject {
  try {
    return decodeConfig(stdin);
  } catch {
    return {};
  }
}
