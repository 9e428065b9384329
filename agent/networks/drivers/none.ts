/**
 * Networks that the agent has nothing to do for: of the drivers `host` and `null`, which no plugin attaches to, of drivers that are newer
 * than this agent, and those that a conflist of somebody else's declares.
 */
import type { NodeDriver } from "./driver.ts";

export const noDriver: NodeDriver = {
  networkOf: (network) => ({
    network,
    routed: null,
    conflist: () => null,
    ensure: async () => undefined,
    requireUsable: () => undefined,
    problems: () => [],
  }),
  findLeftovers: () => [],
};
