/** Names under which the one executable is a CNI plugin. */
export const PLUGIN_NAMES = [
  "fairlead-bridge",
  "fairlead-ipam",
  "fairlead-loopback",
  "fairlead-macvlan",
  "fairlead-portmap",
  "fairlead-static",
  // containerd's CRI plugin looks for a plugin of this very name.
  "loopback",
] as const;

export type PluginName = (typeof PLUGIN_NAMES)[number];

export function isPluginName(name: string): name is PluginName {
  return (PLUGIN_NAMES as readonly string[]).includes(name);
}
