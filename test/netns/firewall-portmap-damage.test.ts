/** Published ports in nftables of which somebody took something away. Needs root and nft. */
import { checkPublishedPorts } from "../../lib/host/firewall/ports/check.ts";
import { publishPorts } from "../../lib/host/firewall/ports/publish.ts";
import { unpublishPorts } from "../../lib/host/firewall/ports/unpublish.ts";
import { sorted } from "../support/kernel/nft-judge.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";
import { C1, elements, port, spec } from "../support/kernel/published-ports.ts";

let host: NftNetns;
beforeEach(() => {
  host = new NftNetns("portmap");
});
afterEach(() => host.close());

test("an element that somebody took out does not keep the rest from going", () => {
  publishPorts(host.nft, C1);
  host.exec("nft", "delete", "element", "inet", "fairlead", "portmap4", "{ tcp . 8080 }");
  unpublishPorts(host.nft, C1.holder);
  for (const name of ["portmap6", "portmap-bound4", "portmap-attachments"])
    expect(elements(host, name)).toEqual([]);
});

describe("CHECK notices", () => {
  test.each([
    [
      "a lost element",
      "delete element inet fairlead portmap4 { tcp . 8080 }",
      "tcp/0.0.0.0:8080 does not lead",
    ],
    [
      "an element that leads elsewhere",
      `delete element inet fairlead portmap4 { tcp . 8080 }
       add element inet fairlead portmap4 { tcp . 8080 comment "web/c1/eth0" : 10.1.0.3 . 80 }`,
      "tcp/0.0.0.0:8080 does not lead",
    ],
    ["a lost attachment", "flush set inet fairlead portmap-attachments", "portmap-attachments lacks"],
    ["a lost link", "flush set inet fairlead portmap-hairpin", "portmap-hairpin lacks cni0"],
    ["a flushed chain", "flush chain inet fairlead portmap-output", "chain portmap-output"],
    ["a rule too many", "insert rule inet fairlead portmap-dnat accept", "chain portmap-dnat"],
    ["a lost loopback filter", "delete chain inet fairlead portmap-loopback", "chain portmap-loopback"],
  ])("%s", (_what, script, problem) => {
    publishPorts(host.nft, C1);
    checkPublishedPorts(host.nft, C1);
    host.apply(script);
    expect(() => checkPublishedPorts(host.nft, C1)).toThrow(
      expect.objectContaining({ code: "check-failed", reason: expect.stringContaining(problem) }),
    );
  });
});

test.each([
  ["a flushed chain", "flush chain inet fairlead portmap-dnat"],
  ["the filter of the loopback", "delete chain inet fairlead portmap-loopback"],
  ["a rule less", "flush chain inet fairlead portmap-postrouting"],
  ["no jump any more", "flush chain inet fairlead portmap-prerouting"],
])("the next container repairs what somebody took away: %s", (_what, script) => {
  publishPorts(host.nft, C1);
  const whole = sorted(host.listJson());
  host.apply(script);
  publishPorts(host.nft, spec("c2", [port("tcp", "0.0.0.0", { from: 81, to: 80 })]));
  checkPublishedPorts(host.nft, C1);
  unpublishPorts(host.nft, spec("c2", []).holder);
  expect(sorted(host.listJson())).toEqual(whole);
});
