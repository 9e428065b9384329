/**
 * What Docker says when something about a network does not work, for the errors of our service.
 *
 * Fingers know the commands, and scripts know the texts. Where Docker's text leaves out what helps (which network a
 * subnet overlaps, who uses a network), that follows behind a semicolon. docs/docker-differences.md lists them.
 *
 * Source: moby v20.10 (daemon/network.go, libnetwork/error.go, libnetwork/ipamutils), docker/cli v20.10.
 */
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import { WordedError } from "../base/worded-error.ts";

/** Docker's words for the rule of the service that was broken; null: our own words are as good. */
type Words = (error: FairleadError) => string | null;

const WORDS: Readonly<Record<string, Words>> = {
  "network-exists": ({ details }) => `network with name ${details["network"]} already exists`,
  "network-not-found": ({ details }) => `No such network: ${details["network"]}`,
  "network-ambiguous": ({ details }) =>
    `network ${details["network"]} is ambiguous (${details["matches"]} matches found based on ID prefix)`,
  "network-predefined": ({ details }) =>
    `${details["network"]} is a pre-defined network and cannot be removed`,
  "network-in-use": ({ details }) =>
    `error while removing network: network ${details["network"]} id ${details["networkId"]} has active endpoints${users(details)}`,
  "subnet-overlap": ({ details }) =>
    `Pool overlaps with other one on this address space; network ${details["otherNetwork"]} has ${details["otherSubnet"]}`,
  "default-pools-exhausted": ({ details, reason }) =>
    `could not find an available, non-overlapping IPv${details["family"] ?? 4} address pool among the defaults to assign to the network; ${reason}`,
  "driver-unknown": ({ details, hint }) => `plugin ${JSON.stringify(details["driver"])} not found; ${hint}`,
  "driver-single": ({ details }) =>
    `only one instance of ${JSON.stringify(details["driver"])} network is allowed`,
};

/** Who is attached, as far as the service names them. */
function users(details: Readonly<Record<string, unknown>>): string {
  const endpoints = Array.isArray(details["endpoints"]) ? (details["endpoints"] as EndpointFacts[]) : [];
  const names = endpoints.map(({ name, containerId }) => name || containerId);
  return names.length === 0 ? "" : `: ${names.join(", ")}`;
}

interface EndpointFacts {
  readonly name: string;
  readonly containerId: string;
}

/** The failure in the words of Docker, where it has any for it. */
export function inDockersWords(thrown: unknown): FairleadError {
  const error = asFairleadError(thrown, "network");
  const rule = error.details["rule"];
  const words = typeof rule === "string" && Object.hasOwn(WORDS, rule) ? WORDS[rule] : undefined;
  const text = words?.(error) ?? null;
  return text === null ? error : new WordedError(error.code, text, error);
}

/** Names of the networks that there are from the start; `default` is Docker's other name for `bridge`. */
const RESERVED_NAMES = new Set(["bridge", "host", "none", "default"]);

/** @throws WordedError for a name that nobody can give a network. */
export function refuseReservedName(name: string): void {
  if (name === "") throw new WordedError("invalid-config", "network name cannot be empty");
  if (RESERVED_NAMES.has(name))
    throw new WordedError("permission-denied", `operation is not permitted on predefined ${name} network`);
}
