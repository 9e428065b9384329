/** Where things are on a machine that was told nothing else. */
export const DEFAULT_SOCKET = "/run/fairlead/fairlead.sock";
export const DEFAULT_AGENT_SOCKET = "/run/fairlead/agent.sock";
export const DEFAULT_STATE_DIR = "/var/lib/fairlead";
export const DEFAULT_CNI_CONF_DIR = "/etc/cni/net.d";
/** libcni's default. */
export const DEFAULT_CNI_CACHE_DIR = "/var/lib/cni";
