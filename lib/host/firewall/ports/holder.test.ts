import { parseAddress } from "../../../addr/address.ts";
import { COMMENT_MAXIMUM_BYTES } from "../../../netlink/nftables/userdata.ts";
import {
  attachmentKey,
  formatAttachment,
  formatHostPort,
  type HostPort,
  holderText,
  isHolderOn,
  overlaps,
  parseAttachment,
  parseHolder,
} from "./holder.ts";

const C1 = { networkName: "web", containerId: "c1", ifname: "eth0" };
const port = (protocol: HostPort["protocol"], address: string, hostPort: number): HostPort => ({
  protocol,
  hostAddress: parseAddress(address),
  hostPort,
});

test("a holder's text has its parts, and is read back", () => {
  expect(holderText(C1)).toBe("web/c1/eth0");
  expect(parseHolder("web/c1/eth0")).toEqual(C1);
  expect(isHolderOn("web", holderText(C1))).toBe(true);
  expect(isHolderOn("we", holderText(C1))).toBe(false);
});

test("one that is too long is a hash, still of its network, and of nobody else", () => {
  const long = { ...C1, containerId: "c".repeat(200) };
  expect(holderText(long)).toMatch(/^web\/#[0-9a-f]{16}$/);
  expect(holderText(long)).not.toBe(holderText({ ...long, ifname: "eth1" }));
  expect(parseHolder(holderText(long))).toBeNull();
  const longNetwork = { ...C1, networkName: "n".repeat(250) };
  expect(isHolderOn(longNetwork.networkName, holderText(longNetwork))).toBe(true);
  expect(isHolderOn("n".repeat(249), holderText(longNetwork))).toBe(false);
});

test("keys are told apart wherever the parts end", () => {
  const other = { networkName: "webc", containerId: "1", ifname: "eth0" };
  expect(attachmentKey(C1)).not.toEqual(attachmentKey(other));
  expect(attachmentKey(C1)).toHaveLength(16);
  expect(attachmentKey(C1)[15]).toBe(0);
});

describe("the comment of an attachment", () => {
  const ports = [
    port("tcp", "0.0.0.0", 8080),
    port("tcp", "::", 8080),
    port("udp", "127.0.0.1", 5000),
    port("udp", "127.0.0.1", 5001),
    port("udp", "127.0.0.2", 5002),
    port("sctp", "2001:db8::1", 5003),
  ];
  const TEXT =
    "web/c1/eth0 tcp/0.0.0.0:8080 tcp/[::]:8080 udp/127.0.0.1:5000-5001 udp/127.0.0.2:5002 sctp/[2001:db8::1]:5003";

  test("names its ports, those in a row as a range, and is read back", () => {
    expect(formatAttachment("web/c1/eth0", ports)).toBe(TEXT);
    expect(parseAttachment(TEXT)).toEqual({ holder: "web/c1/eth0", ports });
    const linked = formatAttachment("web/c1/eth0", ports, "veth1");
    expect(parseAttachment(linked)).toEqual({ holder: "web/c1/eth0", link: "veth1", ports });
  });

  test("ends where no more fits, and then names none", () => {
    const many = Array.from({ length: 100 }, (_, at) => port("tcp", "::", 1000 + 2 * at));
    const comment = formatAttachment("web/c1/eth0", many);
    expect(new TextEncoder().encode(comment).length).toBeLessThanOrEqual(COMMENT_MAXIMUM_BYTES);
    expect(comment).toMatch(/ …$/);
    expect(parseAttachment(comment)).toEqual({ holder: "web/c1/eth0", ports: null });
  });

  test.each(["web/c1/eth0 nonsense", "web/c1/eth0 tcp/1.2.3:80", "web/c1/eth0 icmp/0.0.0.0:1"])(
    "that somebody else wrote names none: %s",
    (comment) => expect(parseAttachment(comment).ports).toBeNull(),
  );
});

test.each([
  ["tcp/0.0.0.0:80", port("tcp", "0.0.0.0", 80), true],
  ["tcp/127.0.0.1:80", port("tcp", "127.0.0.1", 80), true],
  ["tcp/127.0.0.2:80", port("tcp", "127.0.0.2", 80), false],
  ["udp/127.0.0.1:80", port("udp", "127.0.0.1", 80), false],
  ["tcp/127.0.0.1:81", port("tcp", "127.0.0.1", 81), false],
  ["tcp/[::]:80", port("tcp", "::", 80), false],
])("%s overlaps tcp/127.0.0.1:80: %#", (text, other, expected) => {
  expect(formatHostPort(other)).toBe(text);
  expect(overlaps(other, port("tcp", "127.0.0.1", 80))).toBe(expected);
  expect(overlaps(port("tcp", "127.0.0.1", 80), other)).toBe(expected);
});
