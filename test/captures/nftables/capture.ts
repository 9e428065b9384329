/**
 * Records what `nft` says to the kernel, and what the kernel answers, for one script of this folder:
 *
 *   unshare -n node test/captures/nftables/capture.ts test/captures/nftables/masquerade.nft
 *
 * Writes `masquerade.batch.hex` (the transaction that applies the script) and `masquerade.list.hex` (the
 * kernel's answers to `nft list ruleset` afterwards): one netlink message a line, header included, in
 * hexadecimal. Needs root, strace and nft, and a network namespace that holds no table yet.
 *
 * The files here were recorded with nft 1.0.6 on Linux 6.18.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";

const NLMSG_ALIGNTO = 4;
/** In what nft sends: the begin and end of a batch. In what it receives: links, which it looks up by rtnetlink. */
const BATCH_TYPES = [0x10, 0x11];
const NFNL_SUBSYS_NFTABLES = 10;

/** Every netlink message that `nft` sent or received, in order. */
function traceNft(syscall: "sendmsg" | "recvmsg", ...args: string[]): Buffer[] {
  const log = `/tmp/nft-capture-${process.pid}`;
  const dump = syscall === "sendmsg" ? "write=all" : "read=all";
  execFileSync("strace", ["-o", log, "-e", `trace=${syscall}`, "-e", dump, "nft", ...args]);
  const lines = readFileSync(log, "utf8").split("\n");
  rmSync(log);
  const hex = lines.map((line) => / \| [0-9a-f]+ {2}([0-9a-f ]{48})/.exec(line)?.[1] ?? "").join("");
  return splitMessages(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function splitMessages(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = stream.readUInt32LE(at);
    messages.push(stream.subarray(at, at + length));
    at += Math.ceil(length / NLMSG_ALIGNTO) * NLMSG_ALIGNTO;
  }
  return messages;
}

function write(path: string, messages: readonly Buffer[], types: readonly number[]): void {
  const kept = messages.filter((message) => {
    const type = message.readUInt16LE(4);
    return type >> 8 === NFNL_SUBSYS_NFTABLES || types.includes(type);
  });
  writeFileSync(path, kept.map((message) => `${message.toString("hex")}\n`).join(""));
  console.log(`${path}: ${kept.length} messages`);
}

const [script = ""] = process.argv.slice(2);
const base = script.replace(/\.nft$/, "");
write(`${base}.batch.hex`, traceNft("sendmsg", "-f", script), BATCH_TYPES);
write(`${base}.list.hex`, traceNft("recvmsg", "list", "ruleset"), []);
