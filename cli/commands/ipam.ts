/** `fairlead ipam …`: what the IPAM service knows. */
import { type Command, Option } from "commander";
import { DEFAULT_SOCKET } from "../../lib/daemon/paths.ts";
import type { LeaseState } from "../../lib/ipam/api.ts";
import type { Io } from "../io.ts";
import type { Outcome } from "../outcome.ts";
import type { CommonOptions, HistoryOptions, IpamRun, LeaseOptions } from "./ipam-run.ts";

/** Where plugins and server meet unless told otherwise. */
const LEASE_STATES: readonly LeaseState[] = ["bound", "cooling", "quarantined", "reserved"];

/** Loads what the commands do, and hands it a client. */
async function run(
  io: Io,
  outcome: Outcome,
  options: CommonOptions,
  body: (ipam: IpamRun) => Promise<number>,
) {
  const { withIpam } = await import("./ipam-run.ts");
  outcome.status = await withIpam(io, options, body);
}

export function addIpamCommands(program: Command, io: Io, outcome: Outcome): void {
  const ipam = program
    .command("ipam")
    .description("show what the IPAM service knows: pools, leases, who had which address")
    .usage("COMMAND [OPTIONS]");
  addStatus(ipam, io, outcome);
  addNetworks(ipam, io, outcome);
  addLeases(ipam, io, outcome);
  addHistory(ipam, io, outcome);
  addCheck(ipam, io, outcome);
}

function command(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .option("--json", "as JSON, nothing cut")
    .option("--socket <path>", "socket of the service", DEFAULT_SOCKET);
}

function addStatus(parent: Command, io: Io, outcome: Outcome): void {
  command(parent, "status", "show the service, and how full every pool is")
    .argument("[network]", "this network only: name, ID or the beginning of an ID")
    .addHelpText(
      "after",
      `
The counts of a pool add up to its size. WITHHELD are reserved, excluded and
gateway addresses.

Examples:
  fairlead ipam status
  fairlead ipam status web --json | jq .networks[0].pools[0].free`,
    )
    .action((network: string | undefined, options: CommonOptions) =>
      run(io, outcome, options, (ipam) => ipam.status(network)),
    );
}

function addNetworks(parent: Command, io: Io, outcome: Outcome): void {
  command(parent, "networks", "list the networks and their subnets")
    .addHelpText(
      "after",
      `
ORIGIN is "api" for a network made by an admin, "conflist" for one that a node's
configuration declared.

Example:
  fairlead ipam networks`,
    )
    .action((options: CommonOptions) => run(io, outcome, options, (ipam) => ipam.networks()));
}

function addLeases(parent: Command, io: Io, outcome: Outcome): void {
  command(parent, "leases", "list the addresses that are not free")
    .option("--network <name>", "of this network")
    .addOption(new Option("--state <state>", "in this state").choices(LEASE_STATES))
    .option("--container <id>", "of this container, by its whole ID")
    .option("--node <name>", "of this node")
    .option("--address <address>", "of this address")
    .addHelpText(
      "after",
      `
All given filters must match. States: bound (an attachment holds it), cooling
(released, out of use until UNTIL), quarantined (kept out of use because of
doubt), reserved (set aside). Instants are in UTC.

Examples:
  fairlead ipam leases --network web --state cooling
  fairlead ipam leases --json | jq -r '.leases[] | select(.node == "n1") | .address'`,
    )
    .action((options: LeaseOptions) => run(io, outcome, options, (ipam) => ipam.leases(options)));
}

function addHistory(parent: Command, io: Io, outcome: Outcome): void {
  command(parent, "history", "show who has had an address, and when")
    .argument("<address>", "the address, without prefix length")
    .option("--at <instant>", "who had it then: 2026-01-31T12:00:00Z, 2026-01-31 12:00 (local), 3d (ago)")
    .option("--address-space <name>", "in this address space")
    .addHelpText(
      "after",
      `
The oldest stay comes first; a stay without an end lasts. Instants are in UTC.

Examples:
  fairlead ipam history 10.77.0.5
  fairlead ipam history 10.77.0.5 --at "2026-01-27 14:30"
  fairlead ipam history fd00::5 --at 2h`,
    )
    .action((address: string, options: HistoryOptions) =>
      run(io, outcome, options, (ipam) => ipam.history(address, options)),
    );
}

function addCheck(parent: Command, io: Io, outcome: Outcome): void {
  command(parent, "check", "look for contradictions in what the service has stored")
    .addHelpText(
      "after",
      `
Changes nothing. Exit status 1 when there is an error among the findings.

Example:
  fairlead ipam check`,
    )
    .action((options: CommonOptions) => run(io, outcome, options, (ipam) => ipam.check()));
}
