/** Links of a namespace, asked for by name without netlink. */

import { createNamedNetns, removeNamedNetns } from "../../lib/linux/namespaces/named-netns.ts";
import { openNetns } from "../../lib/linux/namespaces/netns.ts";
import { LinkProbe } from "../../lib/linux/sockets/link-probe.ts";
import { command } from "../support/lab/lab-process.ts";

const NAME = `fl-probe-${process.pid}`;

afterAll(() => removeNamedNetns(NAME));

test("says of each name whether there is such a link in that namespace, and follows changes", async () => {
  const netns = openNetns(createNamedNetns(NAME));
  const probe = new LinkProbe(netns);
  expect(["lo", "eth0", "", "a-name-that-is-too-long"].map((name) => probe.has(name))).toEqual([
    true,
    false,
    false,
    false,
  ]);
  await command(["ip", "-n", NAME, "link", "add", "exactly15bytes1", "type", "veth", "peer", "name", "eth0"]);
  expect([probe.has("eth0"), probe.has("exactly15bytes1")]).toEqual([true, true]);
  probe.close();
  netns.close();
});
