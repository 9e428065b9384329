/** What the driver of a network allows, checked before the network is made. */

import { FairleadError } from "../lib/errors.ts";
import type { CreateNetworkRequest } from "../lib/ipam/api.ts";
import {
  bridgeIfname,
  DRIVER_RULES,
  DRIVERS,
  type Driver,
  isDriver,
  MTU_LIMITS,
  OPTION,
} from "../lib/ipam/network-options.ts";
import type { NetworkRecord } from "../lib/ipam/store.ts";
import type { State } from "./state.ts";

const OPERATION = "create network";
const DEFAULT_DRIVER: Driver = "bridge";

function refusal(
  object: string,
  reason: string,
  hint: string,
  details: Readonly<Record<string, unknown>>,
): FairleadError {
  return new FairleadError({ code: "invalid-config", operation: OPERATION, object, reason, hint, details });
}

/** The driver asked for, with its options as they must be. @throws invalid-config */
export function checkDriver({ name, driver = DEFAULT_DRIVER, options = {} }: CreateNetworkRequest): Driver {
  if (!isDriver(driver)) {
    const hint = `use one of ${DRIVERS.join(", ")}`;
    throw refusal(name, `there is no driver ${JSON.stringify(driver)}`, hint, {
      rule: "driver-unknown",
      field: "driver",
      driver,
      known: DRIVERS,
    });
  }
  for (const [key, value] of Object.entries(options)) checkOption(name, driver, { key, value });
  const missing = DRIVER_RULES[driver].required.find((key) => !Object.hasOwn(options, key));
  if (missing !== undefined) {
    throw refusal(name, `driver ${driver} needs the option ${missing}`, `give it with -o ${missing}=VALUE`, {
      rule: "option-missing",
      driver,
      option: missing,
    });
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
    throw refusal(name, `driver ${driver} has no option ${JSON.stringify(key)}`, hint, {
      rule: "option-unknown",
      driver,
      option: key,
      known,
    });
  }
  const problem = problemOf(value);
  if (problem !== null) throw wrongValue(name, { key, value, problem });
}

function wrongValue(
  name: string,
  { key, value, problem }: { key: string; value: string; problem: string },
): FairleadError {
  return refusal(name, `option ${key}=${value.slice(0, 80)}: ${problem}`, "give it another value", {
    rule: "option-value",
    option: key,
    value,
    problem,
  });
}

/** Whether this driver can have what the request says about addresses. @throws invalid-config */
export function checkAddressing(driver: Driver, request: CreateNetworkRequest): void {
  const { name, subnets = [], ipv6 = false, options = {} } = request;
  const { subnets: source } = DRIVER_RULES[driver];
  if (source === "none" && (subnets.length > 0 || ipv6)) {
    const hint = "leave subnets and ipv6 out";
    throw refusal(name, `networks of driver ${driver} have no addresses`, hint, {
      rule: "driver-without-addresses",
      driver,
    });
  }
  const hasIpv6 = subnets.some(({ subnet }) => subnet.includes(":"));
  if (source === "given" && ipv6 && !hasIpv6) {
    const reason = `driver ${driver} has IPv6 only in a subnet that is named`;
    throw refusal(name, reason, "name the IPv6 subnet of the parent's link", {
      rule: "subnet-missing",
      driver,
    });
  }
  const mtu = options[OPTION.mtu];
  const { leastWithIpv6: least } = MTU_LIMITS;
  if ((ipv6 || hasIpv6) && mtu !== undefined && Number(mtu) < least) {
    const problem = `a network with IPv6 needs at least ${least}`;
    throw wrongValue(name, { key: OPTION.mtu, value: mtu, problem });
  }
}

/** Refuses a second network where there may be one: of a single driver, or of one bridge. */
export function refuseSecond(
  state: State,
  network: Pick<NetworkRecord, "id" | "name" | "driver" | "options">,
): void {
  const { driver, name } = network;
  if (isDriver(driver) && DRIVER_RULES[driver].isSingle) refuseSecondOfDriver(state, { driver, name });
  if (driver === "bridge") refuseSecondOfBridge(state, network);
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
    if (record.driver !== "bridge" || record.origin === "conflist" || bridgeIfname(record) !== bridge)
      continue;
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
