/**
 * One of many processes that attach to one bridge and detach again, executed by Bun inside the host netns:
 * `bun attach-process.ts CONTAINER_NETNS LOCK_DIRECTORY NUMBER ROUNDS`. Each round ends with an attempt to remove the
 * bridge under the feet of the others. Fails with the first error.
 */
import { parseAddress } from "../../../lib/addr/address.ts";
import { parseInterfaceAddress, parsePrefix } from "../../../lib/addr/prefix.ts";
import { configureContainerLink } from "../../../lib/host/attachment/container-end.ts";
import {
  ensureBridge,
  ensureGatewayAddresses,
  removeBridgeIfUnused,
} from "../../../lib/host/bridge/verbs.ts";
import { removeLink, requireLink } from "../../../lib/host/links.ts";
import { lockBridge, tryLockBridge } from "../../../lib/host/locks/bridges.ts";
import { createVethInto, type VethPair } from "../../../lib/host/veth.ts";
import { openNetns } from "../../../lib/linux/namespaces/netns.ts";
import {
  NETLINK_ROUTE,
  openNetlinkSocket,
  openNetlinkSocketIn,
} from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";

const BRIDGE = "br0";
const [netnsPath = "", directory = "", number = "", rounds = ""] = process.argv.slice(2);
const index = Number(number);
const netns = openNetns(netnsPath);
const host = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
const container = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));

function attach(): VethPair {
  const lock = lockBridge({ directory, bridgeName: BRIDGE, mode: "shared", timeoutMs: 20_000 });
  try {
    const { link } = ensureBridge(host, { name: BRIDGE, mac: () => "02:00:00:00:00:01" });
    ensureGatewayAddresses(host, {
      link,
      addresses: ["10.1.0.1/16", "fd00:1::1/64"].map(parseInterfaceAddress),
    });
    return createVethInto(host, {
      hostIfname: `flv${index}`,
      containerIfname: `eth${index}`,
      netns,
      masterIfindex: link.ifindex,
      port: { hairpin: true },
    });
  } finally {
    lock.close();
  }
}

function detach(): void {
  if (!removeLink(host, `flv${index}`)) throw new Error(`flv${index} was gone`);
  const lock = tryLockBridge({ directory, bridgeName: BRIDGE });
  if (lock === null) return;
  removeBridgeIfUnused(host, BRIDGE);
  lock.close();
}

for (let round = 0; round < Number(rounds); round++) {
  const pair = attach();
  configureContainerLink(container, {
    ifindex: pair.containerIfindex,
    addresses: [parseInterfaceAddress(`10.1.1.${index + 1}/16`)],
    routes: [
      {
        destination: parsePrefix(`10.2.${index}.0/24`),
        gateway: parseAddress("10.1.0.1"),
        priority: index + 1,
      },
    ],
  });
  const master = requireLink(host, `flv${index}`).master;
  if (master !== requireLink(host, BRIDGE).ifindex) throw new Error(`flv${index} is no port of ${BRIDGE}`);
  detach();
}
host.close();
container.close();
netns.close();
