/**
 * `resolv.conf` and `hosts` of a sandbox: written anew whenever its networks change.
 *
 * They are bound into the mount namespaces of running processes, which follow the file and not its name. So they are
 * changed in place: the new text over the old, then the end cut off.
 */
import { closeFd } from "../../lib/linux/errno.ts";
import { O_CREAT, O_WRONLY, openFile, readFileIfExists } from "../../lib/linux/files.ts";
import { truncate } from "../../lib/linux/namespace-calls.ts";
import { writeAll } from "../../lib/linux/stdio.ts";
import { type CachedAttachment, resultOf } from "../../lib/runtime/cache.ts";
import type { SandboxFiles, SandboxRecord } from "./registry.ts";

/** What the C library reads. Source: resolv.conf(5), MAXNS. */
const MAX_NAMESERVERS = 3;
const HOST_RESOLV_CONF = "/etc/resolv.conf";

/** Writes both files from what the sandbox is attached to now. */
export function writeSandboxFiles(
  record: SandboxRecord,
  files: SandboxFiles,
  attachments: readonly CachedAttachment[],
): void {
  writeInPlace(files.resolvConf, resolvConf(record, attachments));
  writeInPlace(files.hosts, hosts(record, attachments));
}

export function resolvConf(record: SandboxRecord, attachments: readonly CachedAttachment[]): string {
  const sections = attachments.flatMap((attachment) => resultOf(attachment)?.dns ?? []);
  const ours = unique(sections.flatMap(({ nameservers }) => nameservers));
  const nameservers = record.nameservers.length > 0 ? record.nameservers : ours;
  const search = unique(
    sections.flatMap((dns) => [...dns.search, ...(dns.domain === "" ? [] : [dns.domain])]),
  );
  const options = unique(sections.flatMap((dns) => dns.options));
  const lines = [
    `# Written by fairlead for sandbox ${record.name}.`,
    ...(nameservers.length > 0 ? nameservers : hostNameservers())
      .slice(0, MAX_NAMESERVERS)
      .map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** For networks without a name server. A loopback address would be the sandbox's own loopback. */
function hostNameservers(): string[] {
  const bytes = readFileIfExists(HOST_RESOLV_CONF);
  const text = bytes === null ? "" : new TextDecoder().decode(bytes);
  const all = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = ""]) => address);
  return all.filter((address) => !address.startsWith("127.") && address !== "::1");
}

export function hosts({ name, hostname }: SandboxRecord, attachments: readonly CachedAttachment[]): string {
  const own = unique([hostname, name]).join("\t");
  const addresses = attachments.flatMap((attachment) => resultOf(attachment)?.ips ?? []);
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...addresses.map(({ address }) => `${address.replace(/\/\d+$/, "")}\t${own}`),
  ];
  return `${lines.join("\n")}\n`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function writeInPlace(path: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  const fd = openFile(path, O_WRONLY | O_CREAT, 0o644);
  try {
    writeAll(fd, bytes, path);
    truncate(fd, bytes.length, path);
  } finally {
    closeFd(fd);
  }
}
