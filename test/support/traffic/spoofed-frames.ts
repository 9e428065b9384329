/** What a container can claim to be in ARP and neighbour discovery, sent as raw frames. */
import { inNetns } from "../lab/lab.ts";
import { command } from "../lab/lab-process.ts";

/** Sends one frame; its arguments are the link and the frame without source address and type, which go before. */
const SEND = `
import socket, struct, sys
link, kind, claimed, to, mac = sys.argv[1:6]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind((link, 0))
own = s.getsockname()[4]
ether = bytes.fromhex(mac.replace(":", ""))
def arp(sender):
    who = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(to)
    return b"\\xff" * 6 + own + b"\\x08\\x06" + who
def advert():
    source, target, dest = (socket.inet_pton(socket.AF_INET6, a) for a in (sys.argv[6], claimed, to))
    na = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + target + b"\\x02\\x01" + own
    pseudo = source + dest + struct.pack("!II", len(na), 58) + na
    total = sum(struct.unpack("!%dH" % (len(pseudo) // 2), pseudo))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    na = na[:2] + struct.pack("!H", ~total & 0xffff) + na[4:]
    return ether + own + b"\\x86\\xdd" + struct.pack("!IHBB", 6 << 28, len(na), 58, 255) + source + dest + na
s.send(arp(claimed) if kind == "arp" else advert())
`;

export interface Claim {
  /** Whose address the sender claims to have, under its own MAC address. */
  readonly claimed: string;
  /** Address of the one who is told. */
  readonly to: string;
}

/** Asks by ARP for `to`, and says that the question comes from `claimed`. */
export async function claimByArp(netns: string, { claimed, to }: Claim): Promise<void> {
  await command(inNetns(netns, "python3", "-c", SEND, "eth0", "arp", claimed, to, "00:00:00:00:00:00"));
}

/** Advertises `claimed`, override, from the address `source`, which may be the sender's own. */
export async function claimByAdvert(
  netns: string,
  { claimed, to, toMac, source }: Claim & { readonly toMac: string; readonly source: string },
): Promise<void> {
  await command(inNetns(netns, "python3", "-c", SEND, "eth0", "na", claimed, to, toMac, source));
}
