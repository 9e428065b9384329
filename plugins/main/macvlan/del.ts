/**
 * DEL: the link first, then the address, so that nobody is given an address that is still in use.
 *
 * Works without the container's namespace, which takes the link with it, without a previous result, after the master is
 * gone, twice, and whatever has become of the configuration since.
 */
import { Attempts } from "../../../lib/attempts.ts";
import type { DelRequest } from "../../../lib/cni/request.ts";
import { findLink, type LinkState, removeLink } from "../../../lib/host/links.ts";
import { openNetnsIfExists } from "../../../lib/linux/namespaces/netns.ts";
import { releaseAddresses } from "../../addresses/ipam-removal.ts";
import { aliasOf } from "../../attachment-names.ts";
import { processExec } from "../../io.ts";
import { type RemovalKeys, readRemovalKeys } from "./config.ts";
import { findMaster } from "./master.ts";
import { MacvlanSpace } from "./space.ts";

export function del(request: DelRequest): void {
  const { key, config, log } = request;
  const removal = { ifname: key.ifname, alias: aliasOf(key), ...readRemovalKeys(config.raw, log) };
  const attempts = new Attempts();
  attempts.run(() => removeOwnLink(request.netns, removal));
  // An interface that would not go still uses its address.
  if (!attempts.failed) attempts.run(() => releaseAddresses(request, processExec));
  attempts.throwIfFailed("delete attachment", removal.alias);
}

/** What is to go: by the key, and what of the configuration can be read. */
interface Removal extends RemovalKeys {
  readonly ifname: string;
  readonly alias: string;
}

function removeOwnLink(path: string | null, removal: Removal): void {
  const netns = path === null ? null : openNetnsIfExists(path);
  if (netns === null) return;
  const space = new MacvlanSpace(netns, removal);
  try {
    const link = findLink(space.container, removal.ifname);
    if (link && isOwn(link, removal, space)) removeLink(space.container, link.ifindex);
  } finally {
    space.close();
  }
}

/**
 * The alias says whose the link is. One without was made by another plugin, before the configuration was changed to ours,
 * or by an ADD that ended before it named it: it is taken for ours when it is on this network's master. The interface of
 * another network stays.
 */
function isOwn(link: LinkState, { alias, master }: Removal, space: MacvlanSpace): boolean {
  if (link.kind !== "macvlan") return false;
  if (link.alias !== "") return link.alias === alias;
  if (master === null) return false;
  const sameNetns = space.netnsBelow === undefined;
  return (
    (link.linkNetnsId === null) === sameNetns && link.link === findMaster(space.below, { master })?.ifindex
  );
}
