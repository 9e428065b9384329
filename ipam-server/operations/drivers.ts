/** What the driver of a network allows, checked before the network is made. */

import { FairleadError } from "../../lib/errors.ts";
import type { CreateNetworkRequest } from "../../lib/ipam/api.ts";
import {
  bridgeIfname,
  DRIVER_RULES,
  DRIVERS,
  type Driver,
  GATEWAY_MODE_KEYS,
  isDriver,
  isolatedFamilies,
  MTU_LIMITS,
  OPTION,
  rulesOf,
} from "../../lib/ipam/network-options.ts";
import type { NetworkRecord } from "../../lib/ipam/store.ts";
import type { State } from "../state/state.ts";

const OPERATION = "create network";
const DEFAULT_DRIVER: Driver = "bridge";

function refusal(
  object: string,
  { reason, hint }: { readonly reason: string; readonly hint: string },
  details: Readonly<Record<string, unknown>>,
): FairleadError {
  return new FairleadError({ code: "invalid-config", operation: OPERATION, object, reason, hint, details });
}

/** The driver asked for, with its options as they must be. @throws invalid-config */
export function checkDriver({ name, driver = DEFAULT_DRIVER, options = {} }: CreateNetworkRequest): Driver {
  if (!isDriver(driver)) {
    const hint = `use one of ${DRIVERS.join(", ")}`;
    throw refusal(
      name,
      { reason: `there is no driver ${JSON.stringify(driver)}`, hint },
      {
        rule: "driver-unknown",
        field: "driver",
        driver,
        known: DRIVERS,
      },
    );
  }
  for (const [key, value] of Object.entries(options)) checkOption(name, driver, { key, value });
  const missing = DRIVER_RULES[driver].required.find((key) => !Object.hasOwn(options, key));
  if (missing !== undefined) {
    throw refusal(
      name,
      { reason: `driver ${driver} needs the option ${missing}`, hint: `give it with -o ${missing}=VALUE` },
      {
        rule: "option-missing",
        driver,
        option: missing,
      },
    );
  }
  return driver;
}

function checkOption(name: string, driver: Driver, { key, value }: { key: string; value: string }): void {
  const { options } = DRIVER_RULES[driver];
  const known = Object.keys(options);
  const problemOf = Object.hasOwn(options, key) ? options[key] : undefined;
  if (problemOf === undefined) {
    const hint =
      known.length === 0 ? "leave it out: this driver has no options" : `known are ${known.join(", ")}`;
    throw refusal(
      name,
      { reason: `driver ${driver} has no option ${JSON.stringify(key)}`, hint },
      {
        rule: "option-unknown",
        driver,
        option: key,
        known,
      },
    );
  }
  const problem = problemOf(value);
  if (problem !== null) throw wrongValue(name, { key, value, problem });
}

function wrongValue(
  name: string,
  { key, value, problem }: { key: string; value: string; problem: string },
): FairleadError {
  return refusal(
    name,
    { reason: `option ${key}=${value.slice(0, 80)}: ${problem}`, hint: "give it another value" },
    {
      rule: "option-value",
      option: key,
      value,
      problem,
    },
  );
}

function subnetMissing(name: string, driver: Driver, family: "IPv4" | "IPv6"): FairleadError {
  const reason = `driver ${driver} has ${family} only in a subnet that is named`;
  const hint = `name the ${family} subnet of the parent's link`;
  return refusal(name, { reason, hint }, { rule: "subnet-missing", driver });
}

function withoutFamily(name: string, hasIpv4: boolean): FairleadError {
  const reason = hasIpv4
    ? "it names an IPv4 subnet, and wants no IPv4"
    : "it would have neither IPv4 nor IPv6";
  const hint = hasIpv4 ? "leave one of both out" : "ask for IPv6, or name an IPv6 subnet";
  return refusal(name, { reason, hint }, { rule: "no-address-family", field: "ipv4" });
}

/** Whether this driver can have what the request says about addresses. @throws invalid-config */
export function checkAddressing(driver: Driver, request: CreateNetworkRequest): void {
  const { name, subnets = [], ipv4 = false, ipv6 = false, options = {} } = request;
  const { subnets: source } = DRIVER_RULES[driver];
  if (source === "none" && (subnets.length > 0 || ipv4 || ipv6)) {
    const hint = "leave subnets, ipv4 and ipv6 out";
    throw refusal(
      name,
      { reason: `networks of driver ${driver} have no addresses`, hint },
      {
        rule: "driver-without-addresses",
        driver,
      },
    );
  }
  const hasIpv6 = subnets.some(({ subnet }) => subnet.includes(":"));
  const hasIpv4 = subnets.some(({ subnet }) => !subnet.includes(":"));
  if (source === "given" && ipv6 && !hasIpv6) throw subnetMissing(name, driver, "IPv6");
  if (source === "given" && ipv4 && !hasIpv4) throw subnetMissing(name, driver, "IPv4");
  if (request.ipv4 === false && (hasIpv4 || (source === "leased" && !ipv6 && !hasIpv6)))
    throw withoutFamily(name, hasIpv4);
  const mtu = options[OPTION.mtu];
  const { leastWithIpv6: least } = MTU_LIMITS;
  if ((ipv6 || hasIpv6) && mtu !== undefined && Number(mtu) < least) {
    const problem = `a network with IPv6 needs at least ${least}`;
    throw wrongValue(name, { key: OPTION.mtu, value: mtu, problem });
  }
}

/**
 * Gateway mode `isolated`: the host is not on the network, in no family that the network has. @throws invalid-config
 */
export function checkGatewayModes(request: CreateNetworkRequest): void {
  const { name, subnets = [], ipv6 = false, internal = false, options = {} } = request;
  const isolated = isolatedFamilies(options);
  const [first] = isolated;
  if (first === undefined) return;
  const refuse = (problem: string): FairleadError =>
    wrongValue(name, { key: GATEWAY_MODE_KEYS[first], value: "isolated", problem });
  if (!internal) throw refuse("it is for internal networks (--internal)");
  const given = subnets.map(({ subnet }) => (subnet.includes(":") ? 6 : 4));
  const families = new Set<4 | 6>([...given, ...(ipv6 ? [6 as const] : [])]);
  if (subnets.length === 0) families.add(4);
  const other = [...families].find((family) => !isolated.includes(family));
  if (other !== undefined)
    throw refuse(
      `the host would be on the network by IPv${other}; give ${GATEWAY_MODE_KEYS[other]}=isolated, too`,
    );
  const gateway = subnets.find((subnet) => typeof subnet.gateway === "string")?.gateway;
  if (typeof gateway === "string")
    throw refuse(`the bridge has no address then; leave gateway ${gateway} out`);
}

/** Refuses a second network where there may be one: of a single driver, or of one bridge. */
export function refuseSecond(
  state: State,
  network: Pick<NetworkRecord, "id" | "name" | "options"> & { readonly driver: Driver },
): void {
  const { driver, name } = network;
  const { isSingle, isBridged } = DRIVER_RULES[driver];
  if (isSingle) refuseSecondOfDriver(state, { driver, name });
  if (isBridged) refuseSecondOfBridge(state, network);
}

function refuseSecondOfDriver(state: State, { driver, name }: { driver: Driver; name: string }): void {
  for (const { record } of state.networks()) {
    if (record.driver !== driver) continue;
    throw new FairleadError({
      code: "permission-denied",
      operation: OPERATION,
      object: name,
      reason: `only one network can have driver ${driver}, and network ${record.name} has it`,
      hint: `use network ${record.name}`,
      details: { rule: "driver-single", driver, otherNetwork: record.name },
    });
  }
}

/** Which bridge a conflist's network has is not known here: its plugins say so on each node. */
function refuseSecondOfBridge(
  state: State,
  { id, name, options }: Pick<NetworkRecord, "id" | "name" | "options">,
): void {
  const bridge = bridgeIfname({ id, options });
  for (const { record } of state.networks()) {
    const hasOne = rulesOf(record.driver)?.isBridged && record.origin !== "conflist";
    if (!hasOne || bridgeIfname(record) !== bridge) continue;
    throw new FairleadError({
      code: "already-exists",
      operation: OPERATION,
      object: name,
      reason: `network ${record.name} has bridge ${bridge} already`,
      hint: `give another name with the option ${OPTION.bridgeName}, or leave it out`,
      details: { rule: "bridge-name-taken", bridge, otherNetwork: record.name, networkId: record.id },
    });
  }
}
