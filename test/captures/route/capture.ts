/**
 * Records what `ip` and `bridge` say to the kernel, and what the kernel answers, for every line of commands.txt:
 *
 *   unshare -n node test/captures/route/capture.ts
 *
 * Writes `<name>.request.hex`, `<name>.reply.hex` or `<name>.linkinfo.hex`: four bytes a line. The bytes are as strace
 * saw them; only the legend comes from Fairlead (lib/netlink/dump-text.ts). Needs root, strace and iproute2.
 *
 * The files here were recorded with iproute2 6.1.0 on Linux 6.18.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { decodeAttributes, encodeAttributes } from "../../../lib/netlink/attribute.ts";
import { datagramText, type Layout, layoutText } from "../../../lib/netlink/dump-text.ts";
import { decodeMessages, NLMSG_ERROR } from "../../../lib/netlink/message.ts";
import { bridgeLinkMessage } from "../../../lib/netlink/route/bridge-vlan.ts";
import { describeRoute } from "../../../lib/netlink/route/describe.ts";
import { linkTable } from "../../../lib/netlink/route/link.ts";

interface Datagram {
  readonly sent: boolean;
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly sequence: number;
}

const IFINFOMSG_BYTES = 16;
const IFLA_LINKINFO = 18;

/** The datagrams of one command, from the hexadecimal dumps that strace puts under each call. */
function trace(command: string): Datagram[] {
  const log = `/tmp/route-capture-${process.pid}`;
  const options = ["-qq", "-e", "trace=sendto,sendmsg,recvmsg", "-e", "read=all", "-e", "write=all"];
  try {
    execFileSync("strace", ["-o", log, ...options, ...command.split(" ")], { stdio: "pipe" });
  } catch {
    // A command that the kernel refuses is recorded like any other.
  }
  const calls = readFileSync(log, "utf8").split(/^(?=send|recv)/m);
  rmSync(log);
  return calls.flatMap(toDatagram);
}

function toDatagram(call: string): Datagram[] {
  const digits = [...call.matchAll(/ \| [0-9a-f]+ {2}([0-9a-f ]{48})/g)].map(([, hex]) => hex).join(" ");
  const all = Buffer.from(digits.replaceAll(" ", ""), "hex");
  if (all.length < 16) return [];
  const sent = call.startsWith("send");
  // iproute2 sends some requests with rubbish after them; the kernel goes by the length.
  const bytes = new Uint8Array(sent ? all.subarray(0, all.readUInt32LE(0)) : all);
  return [{ sent, bytes, type: all.readUInt16LE(4), sequence: all.readUInt32LE(8) }];
}

/** The last request of a command, and the first datagram that answers it. */
function exchange(datagrams: readonly Datagram[]): { request: Datagram; reply: Datagram } {
  // Before it changes something, ip looks links up, and tries out what the kernel can do with sequence 0.
  const changes = datagrams.filter(({ sent, type, sequence }) => sent && type % 4 !== 2 && sequence !== 0);
  const request = changes.at(-1) ?? datagrams.filter(({ sent }) => sent).at(-1);
  const reply = datagrams.find(({ sent, sequence }) => !sent && sequence === request?.sequence);
  if (!request || !reply) throw new Error("no exchange was seen");
  return { request, reply };
}

function linkInfoText({ bytes, type }: Datagram): string {
  if (type === NLMSG_ERROR) throw new Error("the kernel refused");
  const [message] = decodeMessages(bytes);
  const attributes = decodeAttributes(message?.payload.subarray(IFINFOMSG_BYTES) ?? bytes);
  return layoutText(encodeAttributes(attributes.filter((each) => each.type === IFLA_LINKINFO)), linkTable);
}

function record(name: string, keep: string, command: string): void {
  const describe = (type: number): Layout | undefined =>
    command.startsWith("bridge") && type < 20 ? bridgeLinkMessage : describeRoute(type);
  const { request, reply } = exchange(trace(command));
  const write = (what: string, text: string) =>
    writeFileSync(`${import.meta.dirname}/${name}.${what}.hex`, `# ${what} of: ${command}\n${text}\n`);
  if (keep.includes("request")) write("request", datagramText(request.bytes, describe));
  if (keep.includes("reply")) write("reply", datagramText(reply.bytes, describe));
  if (keep.includes("linkinfo")) write("linkinfo", linkInfoText(reply));
}

const lines = readFileSync(`${import.meta.dirname}/commands.txt`, "utf8").split("\n");
for (const text of lines.filter((each) => each.includes("|") && !each.startsWith("#"))) {
  const [name = "", keep = "", command = ""] = text.split("|").map((part) => part.trim());
  if (name === "") execFileSync("/bin/sh", ["-c", command]);
  else record(name, keep, command);
}
