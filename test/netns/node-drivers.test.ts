/** Drivers of the agent against the kernel: what makes a network useless, and what networks that are gone left. Needs root. */

import type { Census } from "../../agent/networks/drivers/driver.ts";
import { NodeNetlink } from "../../agent/networks/drivers/node-netlink.ts";
import { findLeftovers, onThisNode } from "../../agent/networks/drivers.ts";
import { keptBridgeAliasOf } from "../../lib/host/bridge/identity.ts";
import { ensureNetworkBridge } from "../../lib/host/network/verbs.ts";
import type { Network } from "../../lib/ipam/api.ts";
import { type Netns, openNetns, withNetns } from "../../lib/linux/namespaces/netns.ts";
import { TestNetns } from "../support/kernel/netns.ts";

const NETWORK: Network = {
  id: "a1".repeat(32),
  name: "lan",
  driver: "macvlan",
  origin: "api",
  addressSpace: "default",
  internal: false,
  attachable: true,
  ipv6: false,
  coolingSeconds: 0,
  maxAttachments: null,
  options: { parent: "eth9" },
  labels: {},
  pools: [],
  attachments: 0,
  createdAt: "2026-01-01T00:00:00.000Z",
};

let shown: TestNetns;
let netns: Netns;
let host: NodeNetlink;
beforeEach(() => {
  shown = new TestNetns("fl-drv");
  netns = openNetns(shown.path);
  host = new NodeNetlink("0123abcd", () => undefined);
  // The sockets stay in the namespace that they are opened in.
  withNetns(netns, () => [host.route, host.nft]);
});
afterEach(() => {
  host.close();
  netns.close();
  shown.close();
});

test("macvlan needs its parent, and makes nothing", async () => {
  const node = onThisNode(NETWORK);
  await node.ensure(host);
  expect(() => node.requireUsable(host)).toThrow(
    expect.objectContaining({ code: "not-found", object: "lan" }),
  );
  shown.ip("link", "add", "eth9", "type", "bridge");
  expect(() => node.requireUsable(host)).not.toThrow();
});

test("a bridge that is kept for a network that is gone is left over; other services' are theirs", async () => {
  const keep = (name: string, networkId: string, service: string): void =>
    void ensureNetworkBridge(host.route, { name, alias: keptBridgeAliasOf({ networkId, service }) });
  keep("fl-gone", "g", host.service);
  keep("fl-there", "t", host.service);
  keep("fl-other", "g", "another");
  const census: Census = { isGone: (id) => id === "g", knownNames: new Set(), goneNames: new Set() };
  const leftovers = findLeftovers(host, census);
  expect(leftovers).toMatchObject([{ what: "bridge", name: "fl-gone", networkNames: [] }]);
  shown.ip("link", "add", "p1", "master", "fl-gone", "type", "veth", "peer", "name", "p2");
  expect(await leftovers[0]?.remove()).toBe(false);
  shown.ip("link", "del", "p1");
  expect(await leftovers[0]?.remove()).toBe(true);
  expect(findLeftovers(host, census)).toEqual([]);
});
