/**
 * What the reference plugins have made for an attachment that is taken away by ours: rules by iptables, and host-local's
 * files. The link goes as every link does.
 *
 * An attachment that has a file of host-local's, or a pair that we did not make, is the reference's; nobody else is looked
 * for. The files go last, so that a DEL which failed on the way finds everything again.
 *
 * Source: pkg/utils/utils.go FormatComment, pkg/ip/ipmasq_iptables_linux.go, plugins/meta/portmap/portmap_iptables.go of the
 * reference plugins.
 */
import type { AttachmentKey, PluginRequest } from "../lib/cni/request.ts";
import { hasLegacyNat, removeCommentedRules } from "../lib/host/iptables-rules.ts";
import { findHostLocal, type HostLocalLease, listHostLocal, removeHostLocal } from "./host-local.ts";
import type { HostNetlink } from "./workspace.ts";

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
  if (hasLegacyNat()) {
    request.log(
      `iptables-legacy has a table nat, which is out of reach: if rules there say ${name}, remove them with iptables-legacy -t nat`,
    );
  }
}

/** Lets the addresses go in host-local's files, too. @throws SyscallError; FairleadError timeout. */
export function removeRemains(leases: readonly HostLocalLease[]): void {
  for (const lease of leases) removeHostLocal(lease);
}
