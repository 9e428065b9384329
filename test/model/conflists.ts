/** The configurations of the two networks, as they were written and as somebody edited them. */
import type { Edit } from "./history.ts";

export type Configuration = Readonly<Record<string, unknown>>;

/** Small, and without cooling: whatever is released by mistake is soon granted to somebody else. */
const NETWORK_OF = [
  { bridge: "br-m0", ranges: [[{ subnet: "10.77.0.0/29" }]], coolingSeconds: 0 },
  {
    bridge: "br-m1",
    ranges: [[{ subnet: "10.78.0.0/28" }], [{ subnet: "fd00:78::/120" }]],
    coolingSeconds: 1,
  },
] as const;
/** Short: a call to a service that stands still ends soon. */
const TIMEOUT_SECONDS = 1;
const FIRST_HOST_PORT = 9000;

/** Subnets that the networks have as long as nobody edits their configurations. */
export const PLAIN_SUBNETS: readonly string[] = NETWORK_OF.flatMap(({ ranges }) =>
  ranges.flatMap((set) => set.map(({ subnet }) => subnet)),
);

export function networkName(network: number): string {
  return `m${network}`;
}

/** What a plugin gets on stdin. `prevResult` and the like are added by the caller. */
export function configurationOf(network: number, edit: Edit): Configuration {
  return edited(plain(network), network, edit);
}

/** One host port for each container. */
export function runtimeConfigOf(who: number): Configuration {
  return { portMappings: [{ hostPort: FIRST_HOST_PORT + who, containerPort: 80, protocol: "tcp" }] };
}

/** True when an ADD with this configuration publishes the container's port. */
export function publishes(configuration: Configuration): boolean {
  return configuration["publishPorts"] === true;
}

function plain(network: number): Configuration {
  const { bridge, ranges, coolingSeconds } = networkAt(network);
  return {
    cniVersion: "1.1.0",
    name: networkName(network),
    type: "fairlead-bridge",
    bridge,
    isGateway: true,
    ipMasq: true,
    macspoofchk: true,
    publishPorts: true,
    ipam: { type: "fairlead-ipam", ranges, coolingSeconds, timeoutSeconds: TIMEOUT_SECONDS },
  };
}

function networkAt(network: number): (typeof NETWORK_OF)[number] {
  const found = NETWORK_OF[network];
  if (found === undefined) throw new Error(`there is no network ${network}`);
  return found;
}

function edited(configuration: Configuration, network: number, edit: Edit): Configuration {
  const { ipam, ...rest } = configuration;
  switch (edit) {
    case "plain":
      return configuration;
    case "no-ports":
      return { ...configuration, publishPorts: false };
    case "no-source-check":
      return { ...configuration, macspoofchk: false };
    case "no-ipam":
      return rest;
    case "broken":
      return { ...configuration, mtu: "as large as possible" };
    case "other-subnet":
      return { ...rest, ipam: { ...(ipam as object), ranges: [[{ subnet: `10.9${network}.0.0/28` }]] } };
  }
}
