/**
 * How the `.hex` files of this folder were made: queries by `dig` (bind9-dnsutils 9.18), answers by `dnsmasq` 2.90.
 *
 * A socket on loopback takes what dig sends; each query is then sent to a dnsmasq with the records below, and its
 * answer is written beside it.
 *
 * Usage: node --no-warnings test/captures/dns/capture.ts
 */
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const QUERIES: Readonly<Record<string, readonly string[]>> = {
  "a-plain": ["+noedns", "WEB.example.test", "A"],
  "aaaa-edns": ["+bufsize=4096", "+dnssec", "+nocookie", "web.example.test", "AAAA"],
  "cname-cookie": ["+cookie=0123456789abcdef", "www.example.test", "A"],
  mx: ["+noedns", "example.test", "MX"],
  srv: ["+noedns", "_sip._udp.example.test", "SRV"],
  txt: ["+noedns", "example.test", "TXT"],
  ptr: ["+noedns", "-x", "192.0.2.7"],
  "soa-negative": ["+noedns", "nosuch.example.test", "A"],
  "caa-unknown": ["+noedns", "example.test", "TYPE257"],
};

const DNSMASQ = [
  "--keep-in-foreground",
  "--no-resolv",
  "--no-hosts",
  "--conf-file=/dev/null",
  "--listen-address=127.0.0.1",
  "--bind-interfaces",
  "--pid-file",
  "--user=root",
  "--port=15399",
  "--auth-server=ns.example.test,127.0.0.1",
  "--auth-zone=example.test,192.0.2.0/24",
  "--auth-soa=2026,hostmaster.example.test,1200,120,604800",
  "--host-record=web.example.test,192.0.2.7,2001:db8::7",
  "--address=/many.example.test/192.0.2.1",
  "--cname=www.example.test,web.example.test",
  "--mx-host=example.test,web.example.test,10",
  "--srv-host=_sip._udp.example.test,web.example.test,5060,1,2",
  '--txt-record=example.test,"v=spf1 -all","two"',
  "--caa-record=example.test,0,issue,ca.example.test",
];

function hex(bytes: Uint8Array): string {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  return `${(pairs.join(" ").match(/.{1,47}(?: |$)/g) ?? []).map((line) => line.trim()).join("\n")}\n`;
}

async function capture(name: string, words: readonly string[]): Promise<void> {
  const front = createSocket("udp4");
  front.bind(0, "127.0.0.1");
  await once(front, "listening");
  const dig = execFile("dig", ["@127.0.0.1", "-p", String(front.address().port), "+tries=1", ...words]);
  const [query] = (await once(front, "message")) as [Buffer];
  const back = createSocket("udp4");
  back.send(query, 15399, "127.0.0.1");
  const [answer] = (await once(back, "message")) as [Buffer];
  dig.kill();
  front.close();
  back.close();
  writeFileSync(join(import.meta.dirname, `${name}.query.hex`), `# dig ${words.join(" ")}\n${hex(query)}`);
  writeFileSync(join(import.meta.dirname, `${name}.answer.hex`), `# dnsmasq's answer\n${hex(answer)}`);
}

const dnsmasq = spawn("dnsmasq", DNSMASQ, { stdio: "inherit" });
await sleep(500);
for (const [name, words] of Object.entries(QUERIES)) await capture(name, words);
dnsmasq.kill();
