import { formatAddress, parseAddress } from "../../../addr/address.ts";
import { describeListener, parseSockets } from "./listeners.ts";

/** Lines of /proc/net/tcp and tcp6 on x86-64. */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1 0 100 0 0 10 0
   2: 026433C6:1F90 016433C6:A0B4 01 00000000:00000000 00:00000000 00000000     0        0 1003 1 0 100 0 0 10 0`;
const TCP6 = `  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2001 1 0 100 0 0 10 0
   1: B80D0120000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2002 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2003 1 0 100 0 0 10 0`;
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  312: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 3001 2 0000000000000000 0
  313: 026433C6:0035 08080808:0035 01 00000000:00000000 00:00000000 00000000   101        0 3002 2 0000000000000000 0`;

interface Wanted {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
}

function found(text: string, { protocol, address, port }: Wanted): string[] {
  return parseSockets(text, { protocol, address: parseAddress(address), port }).map(
    (socket) => `${formatAddress(socket.address)} ${socket.inode}`,
  );
}

test.each([
  [
    "a listener on one address is in the way of every address",
    TCP,
    "tcp",
    "0.0.0.0",
    8080,
    ["127.0.0.1 1001"],
  ],
  ["and of itself", TCP, "tcp", "127.0.0.1", 8080, ["127.0.0.1 1001"]],
  ["not of another address; a connection is in nobody's way", TCP, "tcp", "198.51.100.2", 8080, []],
  ["a listener on every address is in the way of one", TCP, "tcp", "127.0.0.1", 22, ["0.0.0.0 1002"]],
  ["IPv6: of every address", TCP6, "tcp", "::", 8080, [":: 2001", "2001:db8::1 2002"]],
  ["IPv6: of one", TCP6, "tcp", "2001:db8::1", 8080, [":: 2001", "2001:db8::1 2002"]],
  ["IPv6 sockets that serve IPv4", TCP6, "tcp", "127.0.0.1", 8080, [":: 2001", "127.0.0.1 2003"]],
  ["UDP, bound and not connected", UDP, "udp", "0.0.0.0", 53, ["127.0.0.53 3001"]],
  ["another port whose digits end alike", TCP, "tcp", "0.0.0.0", 0x90, []],
] as const)("%s", (...[_what, text, protocol, address, port, expected]) => {
  expect(found(text, { protocol, address, port })).toEqual(expected);
});

test("a listener is described by what whoever runs the host knows it by", () => {
  const listener = {
    address: parseAddress("::"),
    port: 80,
    processId: 7,
    program: "nginx",
    commandLine: "nginx",
  };
  expect(describeListener(listener)).toBe("nginx (process 7) listens on [::]:80");
  expect(describeListener({ ...listener, processId: null, program: "" })).toBe(
    "a program of this host listens on [::]:80",
  );
  const commandLine = `/usr/bin/conmon --api-version 1 -c ${"ab".repeat(32)} -u ${"ab".repeat(32)} -r /usr/bin/runc -n web -p /run/pid`;
  expect(describeListener({ ...listener, program: "conmon", commandLine })).toBe("container web has [::]:80");
});
