/** What a link hears when somebody announces an address. */

/**
 * Prints one line for each ARP request ("arp MAC ADDRESS" of the sender) and each neighbour advertisement ("na
 * ADDRESS" that it is about) that comes in by the link.
 *
 * A Python program; its argument is the name of the link.
 */
export const ANNOUNCEMENT_SNIFFER = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    p = s.recv(2000)
    if p[12:14] == b"\\x08\\x06":
        print("arp", p[22:28].hex(":"), socket.inet_ntoa(p[28:32]), flush=True)
    elif p[12:14] == b"\\x86\\xdd" and p[54] == 136:
        print("na", socket.inet_ntop(socket.AF_INET6, p[62:78]), flush=True)
`;
