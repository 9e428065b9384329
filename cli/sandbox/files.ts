/**
 * `resolv.conf` and `hosts` of a sandbox: written anew whenever its networks change.
 *
 * They are bound into the mount namespaces of running processes, which follow the file and not its name. So they are
 * changed in place: the new text over the old, then the end cut off.
 */
import { isObject } from "../../lib/cni/json.ts";
import type { ResultDns } from "../../lib/cni/result.ts";
import { type HostResolver, readHostResolver } from "../../lib/host/host-resolver.ts";
import { closeFd } from "../../lib/linux/calls/errno.ts";
import { O_CREAT, O_WRONLY, openFile } from "../../lib/linux/files/files.ts";
import { writeAll } from "../../lib/linux/files/stdio.ts";
import { truncate } from "../../lib/linux/namespaces/namespace-calls.ts";
import { type CachedAttachment, resultOf } from "../../lib/runtime/cache.ts";
import type { SandboxFiles, SandboxRecord } from "./registry.ts";
import { nameserversOf } from "./resolver/name-servers.ts";
import { HOST_GATEWAY } from "./resolver/wishes.ts";

/** What the C library reads. Source: resolv.conf(5), MAXNS. */
const MAX_NAMESERVERS = 3;

/** Writes both files from what the sandbox is attached to now. */
export function writeSandboxFiles(
  record: SandboxRecord,
  files: SandboxFiles,
  attachments: readonly CachedAttachment[],
): void {
  writeInPlace(files.resolvConf, resolvConf(record, attachments, readHostResolver()));
  writeInPlace(files.hosts, hosts(record, attachments));
}

export function resolvConf(
  record: SandboxRecord,
  attachments: readonly CachedAttachment[],
  host: HostResolver,
): string {
  const sections = attachments.flatMap((attachment) => resultOf(attachment)?.dns ?? []);
  const nameservers = nameserversOf(record, attachments, host);
  const search = searchOf(record, attachments.flatMap(sectionWithSearch), host);
  const options = optionsOf(record, sections, host);
  const lines = [
    `# Written by fairlead for sandbox ${record.name}.`,
    ...words(nameservers)
      .slice(0, MAX_NAMESERVERS)
      .map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** What the agent wrote are the host's domains as they were at ADD; those of now come from the host. */
function sectionWithSearch(attachment: CachedAttachment): readonly ResultDns[] {
  const { fairlead } = attachment.conflist.raw;
  const dns = resultOf(attachment)?.dns;
  return isObject(fairlead) || dns === undefined ? [] : [dns];
}

/** Those that the user named take the place of all others; "." alone: none. Else the networks', then the host's. */
function searchOf(
  { search = [] }: SandboxRecord,
  sections: readonly ResultDns[],
  host: HostResolver,
): string[] {
  if (search.length > 0) return search.filter((domain) => domain !== ".");
  const own = sections.flatMap((dns) => [...dns.search, ...(dns.domain === "" ? [] : [dns.domain])]);
  return words([...own, ...host.search]);
}

/** The user's, else the host's, then the networks'. Names of containers are found with the networks' `ndots`, not with the host's. */
function optionsOf(
  { resolverOptions = [] }: SandboxRecord,
  sections: readonly ResultDns[],
  host: HostResolver,
): string[] {
  const isNdots = (option: string): boolean => option.startsWith("ndots:");
  const networks = sections.flatMap(({ options }) => options);
  if (resolverOptions.length === 0) {
    const hosts = host.options.filter((option) => !networks.some(isNdots) || !isNdots(option));
    return words([...hosts, ...networks]);
  }
  return words([
    ...resolverOptions,
    ...networks.filter((option) => !isNdots(option) || !resolverOptions.some(isNdots)),
  ]);
}

/** Each once, without what would begin another line or word: results of plugins are from outside. */
function words(texts: readonly string[]): string[] {
  return unique(texts).filter((text) => /^[^\s\p{Cc}]+$/u.test(text));
}

export function hosts(
  { name, hostname, extraHosts = [] }: SandboxRecord,
  attachments: readonly CachedAttachment[],
): string {
  const own = unique([hostname, name]).join("\t");
  const ips = attachments.flatMap((attachment) => resultOf(attachment)?.ips ?? []);
  const gateway = ips.find(({ gateway }) => gateway !== undefined && gateway !== "")?.gateway;
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...ips.map(({ address }) => `${address.replace(/\/\d+$/, "")}\t${own}`),
    ...extraHosts.flatMap((extra) => {
      const address = extra.address === HOST_GATEWAY ? gateway : extra.address;
      return address === undefined ? [] : [`${address}\t${extra.name}`];
    }),
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
