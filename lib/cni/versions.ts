/**
 * The CNI protocol versions that Fairlead speaks, and what each of them has.
 *
 * A version is matched exactly, never by "at least": a plugin answers in the version that the configuration
 * names or refuses it.
 *
 * Source: CNI SPEC 1.1.0, "Version considerations", and the version history of SPEC.md.
 */
import { FairleadError } from "../errors.ts";

/** Every version, oldest first. */
export const CNI_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type CniVersion = (typeof CNI_VERSIONS)[number];

/** The version of a configuration that names none. Source: libcni `ConfigDecoder.Decode`. */
export const UNNAMED_CNI_VERSION: CniVersion = "0.1.0";

/** The version of answers that belong to no configuration, such as an error in the environment. */
export const NEWEST_CNI_VERSION: CniVersion = "1.1.0";

export function isCniVersion(text: string): text is CniVersion {
  return (CNI_VERSIONS as readonly string[]).includes(text);
}

function isAtLeast(version: CniVersion, floor: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(floor);
}

/** From 0.3.0: results list `interfaces` and any number of `ips`. Before: one `ip4` and one `ip6`. */
export const hasInterfaces = (version: CniVersion): boolean => isAtLeast(version, "0.3.0");

/** From 0.4.0: the verb CHECK, and `prevResult` on DEL. */
export const hasCheck = (version: CniVersion): boolean => isAtLeast(version, "0.4.0");

/** 0.3.0 to 0.4.0: `ips[].version` is required and `dns` is always present. */
export const hasIpVersionField = (version: CniVersion): boolean =>
  hasInterfaces(version) && !isAtLeast(version, "1.0.0");

/**
 * From 1.0.0: interfaces may carry `mtu`, `socketPath` and `pciID`.
 *
 * The specification adds them in 1.1.0; the reference library writes them at 1.0.0 too, where readers ignore
 * keys that they do not know.
 */
export const hasInterfaceDetails = (version: CniVersion): boolean => isAtLeast(version, "1.0.0");

/** From 1.1.0: the verb GC. */
export const hasGc = (version: CniVersion): boolean => isAtLeast(version, "1.1.0");

/** From 1.1.0: the verb STATUS. */
export const hasStatus = (version: CniVersion): boolean => isAtLeast(version, "1.1.0");

/**
 * The version that a configuration asks for.
 *
 * @param supported what the plugin answers in; matched exactly.
 * @throws FairleadError `incompatible-cni-version`
 */
export function requireVersion(named: string, supported: readonly CniVersion[]): CniVersion {
  const version = named === "" ? UNNAMED_CNI_VERSION : named;
  if (isCniVersion(version) && supported.includes(version)) return version;
  throw new FairleadError({
    code: "incompatible-cni-version",
    operation: "read network configuration",
    reason: `incompatible CNI versions; config is "${version}", plugin supports [${supported.map((v) => `"${v}"`).join(" ")}]`,
    hint: "set cniVersion to one of the supported versions",
  });
}
