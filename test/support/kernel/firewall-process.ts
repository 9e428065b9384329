/**
 * One verb of the firewall in a process of its own, for tests of many at once:
 *
 *   bun firewall-process.ts ensure '{"networkName":"web","prefixes":["10.1.0.0/16"]}'
 *
 * Works in the netns it is started in. Says "ready" on stdout, waits for its stdin to end, and then begins.
 * Exits 0 when the verb succeeded; otherwise the error is on stderr.
 */
import { readFileSync, writeSync } from "node:fs";
import { parseAddress } from "../../../lib/addr/address.ts";
import { parsePrefix } from "../../../lib/addr/prefix.ts";
import { checkIsolation, ensureIsolation } from "../../../lib/host/firewall/isolation/verbs.ts";
import { checkMasquerade } from "../../../lib/host/firewall/masquerade/check.ts";
import { ensureMasquerade, removeMasquerade } from "../../../lib/host/firewall/masquerade/verbs.ts";
import {
  ensureMacSpoofCheck,
  removeMacSpoofCheck,
  removeUnusedMacSpoofTable,
} from "../../../lib/host/firewall/source/mac-spoof.ts";
import { NETLINK_NETFILTER, openNetlinkSocket } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { NFTables } from "../../../lib/netlink/nftables/nftables.ts";

const [verb = "", json = "{}"] = process.argv.slice(2);
const { prefixes = [], gateways = [], ...rest } = JSON.parse(json);
const spec = { ...rest, prefixes: prefixes.map(parsePrefix), gateways: gateways.map(parseAddress) };
const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER));
const nft = new NFTables(connection);

const VERBS: Readonly<Record<string, () => void>> = {
  ensure() {
    ensureMasquerade(nft, spec);
    // Others come and go, this one stays.
    checkMasquerade(nft, spec);
  },
  remove: () => removeMasquerade(nft, spec.networkName),
  churn() {
    for (let round = 0; round < 5; round++) {
      ensureMasquerade(nft, spec);
      removeMasquerade(nft, spec.networkName);
    }
  },
  isolate() {
    ensureIsolation(nft, spec);
    checkIsolation(nft, spec);
  },
  spoof: () => ensureMacSpoofCheck(nft, spec),
  spoofChurn() {
    for (let round = 0; round < 5; round++) {
      ensureMacSpoofCheck(nft, spec);
      removeMacSpoofCheck(nft, spec.hostIfname);
      removeUnusedMacSpoofTable(nft);
    }
  },
};

writeSync(1, "ready\n");
readFileSync(0);
VERBS[verb]?.();
connection.close();
