/** What `fairlead purge` does. */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { Attempts } from "../../lib/attempts.ts";
import { FairleadError } from "../../lib/errors.ts";
import { type ChangedSetting, changedSettings, restoreSettings } from "../../lib/host/changed-settings.ts";
import { removeAccepted } from "../../lib/host/firewall/foreign/accept.ts";
import { drawLinkGroup } from "../../lib/host/link-group.ts";
import { findTraces, removeTraces, type Traces, tableText } from "../../lib/host/network/traces.ts";
import { formatSysctlKey } from "../../lib/linux/files/sysctl.ts";
import { removeNamedNetns } from "../../lib/linux/namespaces/named-netns.ts";
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  openNetlinkSocket,
} from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import type { Io } from "../base/io.ts";
import { folderOf } from "../base/paths.ts";
import { formatJson } from "../output/json.ts";
import { type SandboxRecord, SandboxRegistry } from "../sandbox/registry.ts";
import type { PurgeInput } from "./purge-options.ts";

const QUESTION = "WARNING! Containers on these networks lose their interfaces.\nRemove all of it? [y/N] ";

interface Found {
  readonly sandboxes: readonly SandboxRecord[];
  readonly traces: Traces;
  readonly settings: readonly ChangedSetting[];
}

/** @throws FairleadError `in-use` while a daemon runs; what could not be removed. */
export async function runPurge({ options }: PurgeInput, io: Io): Promise<number> {
  const { socket, "run-dir": runDirectory } = options;
  if (!options["dry-run"])
    await requireNoDaemon([socket, options["agent-socket"] ?? `${folderOf(socket)}/agent.sock`]);
  const registry = new SandboxRegistry(runDirectory);
  const route = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  const netfilter = new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER));
  try {
    const nft = new NFTables(netfilter);
    const traces = findTraces(route, nft);
    const found = { sandboxes: registry.list(), traces, settings: settingsThatStay(traces) };
    const lines = describe(found);
    await io.out(
      options.json ? formatJson(summary(found)) : `${lines.join("\n") || "Nothing of Fairlead's is here."}\n`,
    );
    if (options["dry-run"] || lines.length === 0 || !(await mayGoOn(options, io))) return 0;
    remove(found, { registry, route, nft });
    return 0;
  } finally {
    route.close();
    netfilter.close();
  }
}

/** Those of links that are removed go with them. */
function settingsThatStay({ ports, bridges }: Traces): ChangedSetting[] {
  const going = new Set([...ports, ...bridges].map(({ ifname }) => ifname));
  return changedSettings().filter(({ key }) => !key.some((part) => going.has(part)));
}

async function mayGoOn({ force, json }: PurgeInput["options"], io: Io): Promise<boolean> {
  if (force) return true;
  if (!json) await io.out(QUESTION);
  return ((await io.readLine?.()) ?? "").trim().toLowerCase() === "y";
}

interface Places {
  readonly registry: SandboxRegistry;
  readonly route: NetlinkConnection;
  readonly nft: NFTables;
}

function remove({ sandboxes, traces }: Found, { registry, route, nft }: Places): void {
  const attempts = new Attempts();
  attempts.run(() => void removeAccepted(nft));
  attempts.run(() => removeTraces(traces, { route, nft, group: drawLinkGroup(Math.random) }));
  for (const record of sandboxes) {
    if (record.netns !== "") attempts.run(() => void removeNamedNetns(record.name));
    attempts.run(() => registry.remove(record));
  }
  attempts.run(() => void restoreSettings());
  attempts.throwIfFailed("purge", "this machine");
}

function describe({ sandboxes, traces, settings }: Found): string[] {
  return [
    ...sandboxes.map(({ name }) => `sandbox ${name}`),
    ...traces.ports.map(({ ifname, alias }) => `interface ${ifname} (${alias})`),
    ...traces.bridges.map(({ ifname, alias }) => `bridge ${ifname} (${alias})`),
    ...traces.tables.map((table) => `nftables table ${tableText(table)}`),
    ...settings.map(
      ({ key, before, after }) => `setting ${formatSysctlKey(key)}: ${after} becomes ${before} again`,
    ),
  ];
}

function summary({ sandboxes, traces, settings }: Found): object {
  return {
    sandboxes: sandboxes.map(({ name }) => name),
    interfaces: traces.ports.map(({ ifname, alias }) => ({ ifname, alias })),
    bridges: traces.bridges.map(({ ifname, alias }) => ({ ifname, alias })),
    tables: traces.tables.map(tableText),
    settings: settings.map(({ key, before, after }) => ({ key: formatSysctlKey(key), before, after })),
  };
}

async function requireNoDaemon(sockets: readonly string[]): Promise<void> {
  for (const path of sockets) {
    if (!existsSync(path) || !(await isServed(path))) continue;
    throw new FairleadError({
      code: "in-use",
      operation: "purge",
      object: "this machine",
      reason: `a daemon of Fairlead listens on ${path}, and would make everything again`,
      hint: "end it first: systemctl stop fairlead-agent fairlead-server, or Ctrl-C where `fairlead dev` runs",
    });
  }
}

/** A socket file that nobody serves was left by a process that was killed. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (served: boolean): void => {
      socket.destroy();
      resolve(served);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
