/**
 * Fairlead's firewall rules, as idempotent verbs.
 *
 * Everything is in two tables of Fairlead's own, `inet fairlead` and `bridge fairlead`, and changed only in
 * transactions. What a network needs is made once for the network, and what an attachment needs is an element of
 * a set, never a rule: attaching to a network that has its rules changes none, and no list grows that packets are
 * compared to one by one.
 *
 * An ADD asks `isMasqueradeInPlace`, from its own file, and loads this one only when the answer is no.
 */
export {
  checkMacSpoofCheck,
  ensureMacSpoofCheck,
  findSourceCheck,
  isMacSpoofCheckInPlace,
  type MacSpoofSpec,
  removeMacSpoofCheck,
  removeStaleMacSpoofChecks,
  removeUnusedMacSpoofTable,
} from "./firewall-mac-spoof.ts";
export { ensureMasquerade, listMasquerade, removeMasquerade } from "./firewall-masquerade.ts";
export { checkMasquerade } from "./firewall-masquerade-check.ts";
export { isMasqueradeInPlace, type MasqueradeSpec } from "./firewall-masquerade-in-place.ts";
