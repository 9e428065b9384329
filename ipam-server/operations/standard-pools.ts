/** The default pools of a server that is not told any. */
import { hash64 } from "../../lib/hash.ts";
import { type DefaultPool, parseDefaultPool } from "./default-pools.ts";

/**
 * Three IPv4 pools, which give 6,400 networks of /24, and one IPv6 pool of 65,536.
 *
 * IPv4: first a corner of 10.0.0.0/8 that the defaults of Docker, podman, k3s, kubeadm, flannel, OpenShift and the
 * large clouds leave alone. The others are for who has none of it left: the host may reach all of 10.0.0.0/8 by a
 * VPN, and its routes are avoided. IPv6: a unique local prefix with a global ID of its own per machine, so that
 * two machines can be joined later; `seed` names the machine and must not change.
 *
 * Source: RFC 1918 §3; RFC 4193 §3.2 (prefix fd00::/8, 40 bits of global ID).
 */
export function standardPools(seed: string): readonly DefaultPool[] {
  const id = hash64(`fairlead default pool ${seed}`).toString(16).padStart(16, "0").slice(0, 10);
  const base = `fd${id.slice(0, 2)}:${id.slice(2, 6)}:${id.slice(6, 10)}::/48`;
  return [
    { base: "10.64.0.0/13", size: 24 },
    { base: "172.16.0.0/12", size: 24 },
    { base: "192.168.0.0/16", size: 24 },
    { base: base.replace(/(?<=:)0{1,3}(?=[0-9a-f])/g, ""), size: 64 },
  ];
}

/** What is configured, and the standard pools of a family that is not: who names IPv4 pools has not given up IPv6. */
export function poolsOrStandard(
  configured: readonly DefaultPool[] | null,
  seed: string,
): readonly DefaultPool[] {
  const named = configured ?? [];
  const families = new Set(named.map((pool) => parseDefaultPool(pool).base.address.family));
  const missing = standardPools(seed).filter(
    (pool) => !families.has(parseDefaultPool(pool).base.address.family),
  );
  return [...named, ...missing];
}
