/**
 * What Docker says when something about a network does not work, for the errors of our service.
 *
 * Fingers know the commands, and scripts know the texts. Where Docker's text leaves out what helps (which network a
 * subnet overlaps, what uses a network), that follows behind a semicolon. docs/docker-differences.md lists them.
 *
 * Source: moby v20.10 (daemon/network.go, libnetwork/error.go, libnetwork/ipamutils), docker/cli v20.10.
 */
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import { Refusal } from "../refusal.ts";

/** Networks that there are from the start. `default` is Docker's other name for `bridge`. */
const PREDEFINED = new Set(["bridge", "host", "none"]);
const RESERVED_NAMES = new Set([...PREDEFINED, "default"]);

export function isPredefined(name: string): boolean {
  return PREDEFINED.has(name);
}

/** @throws Refusal for a name that nobody can give a network. */
export function refuseReservedName(name: string): void {
  if (name === "") throw new Refusal("network name cannot be empty");
  if (RESERVED_NAMES.has(name)) throw new Refusal(`operation is not permitted on predefined ${name} network`);
}

/** What is said when a network cannot be made. */
export function createRefusal(thrown: unknown, { name, driver }: { name: string; driver: string }): Refusal {
  const error = asFairleadError(thrown, "create network", name);
  const { field, otherNetwork, otherSubnet } = error.details as Readonly<Record<string, string | undefined>>;
  switch (error.code) {
    case "already-exists":
      return new Refusal(`network with name ${name} already exists`, 1, error);
    case "subnet-overlap":
      return new Refusal(`${OVERLAP}; network ${otherNetwork} has ${otherSubnet}`, 1, error);
    case "pool-exhausted":
      return new Refusal(`${exhausted(error)}; ${error.reason}`, 1, error);
    case "unsupported-field":
    case "invalid-config":
      return field === "driver"
        ? new Refusal(`plugin ${JSON.stringify(driver)} not found; ${error.reason}`, 1, error)
        : plain(error);
    default:
      return plain(error);
  }
}

const OVERLAP = "Pool overlaps with other one on this address space";

function exhausted({ details, reason }: FairleadError): string {
  const family = details["family"] === 6 || /:.*\/\d/.test(reason) ? "IPv6" : "IPv4";
  return `could not find an available, non-overlapping ${family} address pool among the defaults to assign to the network`;
}

/** What is said when a network cannot be found, read or removed. @param wanted what the user called it. */
export function networkRefusal(thrown: unknown, wanted: string): Refusal {
  const error = asFairleadError(thrown, "read network", wanted);
  switch (error.code) {
    case "not-found":
      return new Refusal(absent(error, wanted), 1, error);
    case "permission-denied":
      return isPredefined(wanted) ? new Refusal(predefined(wanted), 1, error) : plain(error);
    default:
      return plain(error);
  }
}

export function predefined(name: string): string {
  return `${name} is a pre-defined network and cannot be removed`;
}

/** @param network as the service knows it. */
export function inUse(
  network: { readonly name: string; readonly id: string },
  error: FairleadError,
): Refusal {
  const containers = error.details["containers"];
  const who = Array.isArray(containers) ? `; containers: ${containers.join(", ")}` : "";
  const text = `error while removing network: network ${network.name} id ${network.id} has active endpoints${who}`;
  return new Refusal(text, 1, error);
}

function absent({ reason }: FairleadError, wanted: string): string {
  const [, count] = /^(\d+) IDs begin with it/.exec(reason) ?? [];
  if (count === undefined) return `No such network: ${wanted}`;
  return `network ${wanted} is ambiguous (${count} matches found based on ID prefix)`;
}

function plain(error: FairleadError): Refusal {
  return new Refusal(error.message, 1, error);
}

/** For everything else: our own words, Docker's exit status. */
export function asRefusal(thrown: unknown): Refusal {
  return thrown instanceof Refusal ? thrown : plain(asFairleadError(thrown, "network"));
}
