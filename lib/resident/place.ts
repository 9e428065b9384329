/** Where resident workers listen: in the directory of the IPAM service's socket, under this name. */
export const WORKER_SOCKET_NAME = "plugin-worker.sock";

/** The directory when no configuration says otherwise. */
export const DEFAULT_WORKER_DIRECTORY = "/run/fairlead";
