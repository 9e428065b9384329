/**
 * What the reference plugins have made for an attachment that is taken away by ours: rules by iptables, and host-local's
 * files. The link goes as every link does.
 *
 * An attachment that has a file of host-local's, or a pair that we did not make, is the reference's; nobody else is looked
 * for. The files go last, so that a DEL which failed on the way finds everything again.
 *
 * Source: pkg/utils/utils.go FormatComment, pkg/ip/ipmasq_iptables_linux.go and ipmasq_nftables_linux.go,
 * plugins/meta/portmap/portmap_iptables.go and portmap_nftables.go of the reference plugins.
 */
import type { AttachmentKey, PluginRequest } from "../../lib/cni/request.ts";
import { hasLegacyNat, removeCommentedRules } from "../../lib/host/firewall/foreign/iptables-rules.ts";
import { removeRulesByComment } from "../../lib/host/firewall/rules-by-comment.ts";
import type { HostNetlink } from "../../lib/host/netlink.ts";
import { NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from "../../lib/netlink/nftables/message.ts";
import type { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import { findHostLocal, type HostLocalLease, listHostLocal, removeHostLocal } from "./host-local.ts";

/** A request about an attachment, as far as it matters here. */
type Request = Pick<PluginRequest, "config" | "log">;

/** The attachment's files of host-local. None: one system call has told so. */
export function findRemains({ config: { raw, networkName } }: Request, key: AttachmentKey): HostLocalLease[] {
  return findHostLocal({ raw, networkName }, key);
}

/**
 * Takes back the rules of the reference's `bridge` and `portmap`: they are the container's on the network, whichever
 * interface of it they are for, so they stay while another one of it is there.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeReferenceRules(request: Request, key: AttachmentKey, host: HostNetlink): void {
  const { networkName, containerId, ifname } = key;
  const { raw } = request.config;
  const siblings = listHostLocal({ raw, networkName }).filter((lease) => lease.containerId === containerId);
  if (siblings.some((lease) => lease.ifname !== ifname && lease.ifname !== "")) return;
  const name = `name: "${networkName}" id: "${containerId}"`;
  removeCommentedRules(host.nft, {
    chains: ["POSTROUTING", "CNI-HOSTPORT-DNAT"],
    comments: [name, `dnat ${name}`],
    ownChains: "CNI-",
  });
  removeNativeRules(key, host.nft);
  if (hasLegacyNat()) {
    request.log(
      `iptables-legacy has a table nat, which is out of reach: if rules there say ${name}, remove them with iptables-legacy -t nat`,
    );
  }
}

/** Chains of the reference with `"ipMasqBackend": "nftables"`, and of its portmap with `"backend": "nftables"`. Since 1.6. */
const NATIVE_MASQUERADE = {
  family: NFPROTO_INET,
  table: "cni_plugins_masquerade",
  chain: "masq_checks",
} as const;
const NATIVE_PORTS = [NFPROTO_IPV4, NFPROTO_IPV6].flatMap((family) =>
  ["hostports", "hostip_hostports", "masquerading"].map((chain) => ({
    family,
    table: "cni_hostport",
    chain,
  })),
);

/** Longest comment that the reference writes; it cuts off the rest. */
const LONGEST_COMMENT = 128;
/** Two hashes of 16 digits, and a dash, which stand before the words. */
const HASHES = /^[0-9a-f]{16}-[0-9a-f]{16}, /;

function removeNativeRules({ networkName, containerId, ifname }: AttachmentKey, nft: NFTables): void {
  const purpose = `remove rules of container ${containerId}`;
  const words = `net: ${networkName}, if: ${ifname}, id: ${containerId}`;
  removeRulesByComment(nft, { purpose, chains: [NATIVE_MASQUERADE] }, (comment) => {
    const hashes = HASHES.exec(comment)?.[0].length ?? 0;
    return hashes > 0 && comment.slice(hashes) === words.slice(0, LONGEST_COMMENT - hashes);
  });
  const id = containerId.slice(0, LONGEST_COMMENT);
  removeRulesByComment(nft, { purpose, chains: NATIVE_PORTS }, (comment) => comment === id);
}

/** Lets the addresses go in host-local's files, too. @throws SyscallError; FairleadError timeout. */
export function removeRemains(leases: readonly HostLocalLease[]): void {
  for (const lease of leases) removeHostLocal(lease);
}
