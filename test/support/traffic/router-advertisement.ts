/** A router advertisement as anybody on a link can send it. */
import { command } from "../lab/lab-process.ts";

/** Prefix that it offers addresses of. */
export const ADVERTISED_PREFIX = "2001:db8:77";

/**
 * Sends one advertisement of a default router, with {@link ADVERTISED_PREFIX}, out of a link, and no more than that: it needs
 * no IPv6 on the link. Its arguments: the link, and the prefix.
 *
 * Source: RFC 4861 §4.2, §4.6.2.
 */
const ADVERTISE = `
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86dd))
s.bind((sys.argv[1], 0))
mac = s.getsockname()[4]
src = socket.inet_pton(socket.AF_INET6, "fe80::bad")
dst = socket.inet_pton(socket.AF_INET6, "ff02::1")
prefix = socket.inet_pton(socket.AF_INET6, sys.argv[2] + "::")
head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
body = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 7200, 3600, 0) + prefix + struct.pack("!BB", 1, 1) + mac
ra = head + body
pseudo = src + dst + struct.pack("!II", len(ra), 58) + ra
total = sum(struct.unpack("!%dH" % (len(pseudo) // 2), pseudo))
while total >> 16:
    total = (total & 0xffff) + (total >> 16)
ra = ra[:2] + struct.pack("!H", ~total & 0xffff) + ra[4:]
ip = struct.pack("!IHBB", 6 << 28, len(ra), 58, 255) + src + dst
s.send(bytes.fromhex("333300000001") + mac + b"\\x86\\xdd" + ip + ra)
`;

/** @param netns path of the sender's network namespace. */
export async function advertiseRouter(netns: string, ifname: string): Promise<void> {
  const inside = ["nsenter", `--net=${netns}`, "python3", "-c", ADVERTISE, ifname, ADVERTISED_PREFIX];
  await command(inside);
}
