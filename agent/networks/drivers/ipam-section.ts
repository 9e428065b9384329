/** The `ipam` section of conflists whose addresses the service gives. */
import { DEFAULT_SOCKET, DEFAULT_STATE_DIR } from "../../../lib/daemon/paths.ts";
import type { ConflistSettings } from "./driver.ts";

/** Places are named where they are not the usual ones. */
export function ipamSection({ serverSocket, stateDir }: ConflistSettings): object {
  return {
    type: "fairlead-ipam",
    ...(serverSocket !== DEFAULT_SOCKET && { socket: serverSocket }),
    ...(stateDir !== DEFAULT_STATE_DIR && { stateDir }),
  };
}
