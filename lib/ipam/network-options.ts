/**
 * Drivers of networks and their options: which there are, what values they take, what is meant by them.
 *
 * The keys are Docker's, so that its users' commands and files mean the same here. A key that no driver knows is
 * refused rather than kept: an option that does nothing is a misunderstanding that nobody notices.
 */

import { tryParseAddress } from "../addr/address.ts";
import { ifnameProblem } from "../addr/ifname.ts";

export const DRIVERS = ["bridge", "host", "macvlan", "null"] as const;
export type Driver = (typeof DRIVERS)[number];

export const OPTION = {
  bridgeName: "com.docker.network.bridge.name",
  icc: "com.docker.network.bridge.enable_icc",
  ipMasquerade: "com.docker.network.bridge.enable_ip_masquerade",
  gatewayMode4: "com.docker.network.bridge.gateway_mode_ipv4",
  gatewayMode6: "com.docker.network.bridge.gateway_mode_ipv6",
  hostBinding: "com.docker.network.bridge.host_binding_ipv4",
  mtu: "com.docker.network.driver.mtu",
  /** Ours. */
  sourceCheck: "com.fairlead.source_check",
  probe: "com.fairlead.probe",
  parent: "parent",
  macvlanMode: "macvlan_mode",
} as const;

export interface DriverRules {
  /**
   * Where subnets come from when the request names none: "leased" out of the default pools; "given": there are
   * none then, because a pool knows nothing of the wire behind `parent`; "none": the driver has no addresses.
   */
  readonly subnets: "leased" | "given" | "none";
  /** At most one network has this driver. */
  readonly isSingle: boolean;
  readonly required: readonly string[];
  /**
   * On each node a network has a bridge to itself ({@link bridgeIfname}): the node is the gateway by it and answers names there, and each
   * container has a link on it, whose alias says whose it is.
   */
  readonly isBridged: boolean;
  /** Why a value is none of this option, in words; null when it is one. */
  readonly options: Readonly<Record<string, (value: string) => string | null>>;
}

/** Source: include/uapi/linux/if_ether.h ETH_MIN_MTU, ETH_MAX_MTU; RFC 8200 §5 for IPv6. */
export const MTU_LIMITS = { least: 68, leastWithIpv6: 1280, most: 65_535 };
const MACVLAN_MODES: readonly string[] = ["bridge", "private", "vepa", "passthru"];

/** What Docker takes for a boolean. Source: Go `strconv.ParseBool`. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "TRUE", "true", "True"].map((word) => [word, true])),
  ...Object.fromEntries(["0", "f", "F", "FALSE", "false", "False"].map((word) => [word, false])),
};

export const DRIVER_RULES: Readonly<Record<Driver, DriverRules>> = {
  bridge: {
    subnets: "leased",
    isSingle: false,
    required: [],
    isBridged: true,
    options: {
      [OPTION.bridgeName]: ifnameProblem,
      [OPTION.icc]: booleanProblem,
      [OPTION.ipMasquerade]: booleanProblem,
      [OPTION.hostBinding]: ipv4Problem,
      [OPTION.gatewayMode4]: gatewayModeProblem,
      [OPTION.gatewayMode6]: gatewayModeProblem,
      [OPTION.mtu]: mtuProblem,
      [OPTION.sourceCheck]: switchProblem,
      [OPTION.probe]: switchProblem,
    },
  },
  host: { subnets: "none", isSingle: true, required: [], isBridged: false, options: {} },
  macvlan: {
    subnets: "given",
    isSingle: false,
    required: [OPTION.parent],
    isBridged: false,
    options: {
      [OPTION.parent]: ifnameProblem,
      [OPTION.macvlanMode]: modeProblem,
      [OPTION.mtu]: mtuProblem,
      [OPTION.probe]: switchProblem,
    },
  },
  null: { subnets: "none", isSingle: true, required: [], isBridged: false, options: {} },
};

export function isDriver(text: string): text is Driver {
  return (DRIVERS as readonly string[]).includes(text);
}

/** Of a driver that this program is too old for: null. */
export function rulesOf(driver: string): DriverRules | null {
  return isDriver(driver) ? DRIVER_RULES[driver] : null;
}

/** A switch of our own takes what people say of switches, too. */
const SWITCH: Readonly<Record<string, boolean>> = { ...BOOLEANS, on: true, off: false };

function switchProblem(value: string): string | null {
  return Object.hasOwn(SWITCH, value) ? null : "it is neither on nor off";
}

function booleanProblem(value: string): string | null {
  return Object.hasOwn(BOOLEANS, value) ? null : "it is neither true nor false";
}

/** Docker's words that are served: published ports alone come in; every route does; the host is not on the network at all. */
const GATEWAY_MODES: readonly string[] = ["nat", "nat-unprotected", "isolated"];
/** Docker's other word, and what comes near it. */
const NEAREST: Readonly<Record<string, string>> = {
  routed: "use nat-unprotected, with com.docker.network.bridge.enable_ip_masquerade=false",
};

export const GATEWAY_MODE_KEYS = { 4: OPTION.gatewayMode4, 6: OPTION.gatewayMode6 } as const;

function hasGatewayMode(
  options: Readonly<Record<string, string>>,
  family: 4 | 6,
  mode: "nat-unprotected" | "isolated",
): boolean {
  return options[GATEWAY_MODE_KEYS[family]] === mode;
}

/** Families of the options in which the host is to have no address on the bridge. */
export function isolatedFamilies(options: Readonly<Record<string, string>>): (4 | 6)[] {
  return ([4, 6] as const).filter((family) => hasGatewayMode(options, family, "isolated"));
}

function gatewayModeProblem(value: string): string | null {
  if (GATEWAY_MODES.includes(value)) return null;
  const nearest = Object.hasOwn(NEAREST, value) ? `; ${NEAREST[value]}` : "";
  return `it is none of ${GATEWAY_MODES.join(", ")}${nearest}`;
}

function ipv4Problem(value: string): string | null {
  return tryParseAddress(value)?.family === 4 ? null : "it is not an IPv4 address";
}

function mtuProblem(value: string): string | null {
  const { least, most } = MTU_LIMITS;
  const mtu = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  return mtu >= least && mtu <= most ? null : `it is not a whole number from ${least} to ${most}`;
}

function modeProblem(value: string): string | null {
  return MACVLAN_MODES.includes(value) ? null : `it is none of ${MACVLAN_MODES.join(", ")}`;
}

/** What the options of a bridge network mean, with the defaults of those that are not given. */
export interface BridgeOptions {
  /** Name of the bridge on every node. */
  readonly bridge: string;
  /** Containers of the network may talk to each other. */
  readonly icc: boolean;
  readonly ipMasquerade: boolean;
  /** Host address that ports are published on unless one is named; null: all of them. */
  readonly hostBinding: string | null;
  readonly mtu: number | null;
  /** Containers send from their own addresses alone. */
  readonly sourceCheck: boolean;
  /** The bridge's network is asked whether somebody has an address before a container gets it. */
  readonly probe: boolean;
  /** Families in which hosts outside may reach containers by a route. */
  readonly routedInto: readonly (4 | 6)[];
  /** The host has no address on the bridge. */
  readonly isolated: boolean;
}

/** A value that does not parse (an old record may hold one) counts as not given. */
export function readBridgeOptions(network: {
  readonly id: string;
  readonly options: Readonly<Record<string, string>>;
}): BridgeOptions {
  const { options } = network;
  const mtu = options[OPTION.mtu] ?? "";
  return {
    bridge: bridgeIfname(network),
    icc: BOOLEANS[options[OPTION.icc] ?? ""] ?? true,
    ipMasquerade: BOOLEANS[options[OPTION.ipMasquerade] ?? ""] ?? true,
    hostBinding: options[OPTION.hostBinding] ?? null,
    mtu: mtuProblem(mtu) === null ? Number(mtu) : null,
    sourceCheck: SWITCH[options[OPTION.sourceCheck] ?? ""] ?? true,
    probe: readProbe(options, false),
    routedInto: ([4, 6] as const).filter((family) => hasGatewayMode(options, family, "nat-unprotected")),
    isolated: isolatedFamilies(options).length > 0,
  };
}

/** Whether addresses are probed before they are used; a value that does not parse counts as not given. */
export function readProbe(options: Readonly<Record<string, string>>, absent: boolean): boolean {
  return SWITCH[options[OPTION.probe] ?? ""] ?? absent;
}

/** Digits of a network's ID in the name of its bridge: as many as Docker shows, and as fit. */
const ID_DIGITS = 12;

/** Name of the bridge of a network: the one that its options give, or `fl-` and the first 12 digits of its ID. */
export function bridgeIfname({
  id,
  options,
}: {
  readonly id: string;
  readonly options: Readonly<Record<string, string>>;
}): string {
  return options[OPTION.bridgeName] ?? `fl-${id.slice(0, ID_DIGITS)}`;
}
