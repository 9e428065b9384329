/** `fairlead ipam reserve|unreserve|quarantine|unquarantine`: addresses that are kept out of use, and given back. */
import type { Io } from "../base/io.ts";
import { defineCommand, type Options } from "../base/spec.ts";
import { COMMON_OPTIONS } from "./common-options.ts";
import type { SetAside } from "./ipam-set-aside-run.ts";

const NETWORK = {
  name: "NETWORK",
  complete: "network",
  description: "Name, ID or beginning of an ID",
} as const;
const ADDRESS = { name: "ADDRESS", description: "The address, without prefix length" } as const;

const SPACE_OPTIONS = {
  ...COMMON_OPTIONS,
  "address-space": { kind: "text", value: "name", description: "In this address space (default: default)" },
} as const satisfies Options;

const REASON = { kind: "text", value: "text", description: "Why; shown by `ipam leases`" } as const;

/** Loads what the commands do, and hands it a client. */
async function run(
  io: Io,
  options: { readonly socket: string; readonly json: boolean },
  body: (ipam: SetAside) => Promise<number>,
): Promise<number> {
  const { withSetAside } = await import("./ipam-set-aside-run.ts");
  const { socket, json } = options;
  return withSetAside(io, { socket, json }, body);
}

export const reserve = defineCommand({
  name: "reserve",
  summary: "Set an address of a network aside",
  arguments: [NETWORK, ADDRESS],
  options: {
    ...COMMON_OPTIONS,
    for: { kind: "text", value: "name", description: "Whoever comes by this name gets it" },
    reason: REASON,
  },
  manual: {
    description: `
Nobody gets the address unasked. Whoever asks for it by address (--ip) gets it, and with --for whoever comes by that name: a
container's or a sandbox's name. Who has it already keeps it.`,
    examples: [
      { text: "For a printer", command: "fairlead ipam reserve web 10.77.0.9 --reason printer" },
      {
        text: "For the container db, whenever it comes",
        command: "fairlead ipam reserve web 10.77.0.10 --for db",
      },
    ],
    seeAlso: ["ipam unreserve", "ipam leases"],
  },
  run: ({ args: [network = "", address = ""], options }, io) => {
    const { for: stickyName, reason } = options;
    const wish = { ...(stickyName !== undefined && { stickyName }), ...(reason !== undefined && { reason }) };
    return run(io, options, (ipam) => ipam.reserve(network, address, wish));
  },
});

export const unreserve = defineCommand({
  name: "unreserve",
  summary: "Give an address back that was set aside",
  arguments: [NETWORK, ADDRESS],
  options: COMMON_OPTIONS,
  manual: {
    description: "Who holds the address keeps it.",
    examples: [{ text: "The printer is gone", command: "fairlead ipam unreserve web 10.77.0.9" }],
    seeAlso: ["ipam reserve"],
  },
  run: ({ args: [network = "", address = ""], options }, io) =>
    run(io, options, (ipam) => ipam.unreserve(network, address)),
});

export const quarantine = defineCommand({
  name: "quarantine",
  summary: "Keep an address out of use because of doubt",
  arguments: [ADDRESS],
  options: { ...SPACE_OPTIONS, reason: REASON },
  manual: {
    description: "Who holds the address keeps it; afterwards nobody gets it until `ipam unquarantine`.",
    examples: [
      {
        text: "Something else answers there",
        command: 'fairlead ipam quarantine 10.77.0.12 --reason "answers ARP"',
      },
      { text: "What is kept out of use", command: "fairlead ipam leases --state quarantined" },
    ],
    seeAlso: ["ipam unquarantine", "ipam leases"],
  },
  run: ({ args: [address = ""], options }, io) => {
    const { "address-space": addressSpace, reason = "by hand" } = options;
    return run(io, options, (ipam) => ipam.quarantine(address, { reason, ...spaceOf(addressSpace) }));
  },
});

export const unquarantine = defineCommand({
  name: "unquarantine",
  summary: "Let an address be used again",
  arguments: [ADDRESS],
  options: SPACE_OPTIONS,
  manual: {
    description: "Takes effect at once.",
    examples: [{ text: "The doubt is gone", command: "fairlead ipam unquarantine 10.77.0.12" }],
    seeAlso: ["ipam quarantine"],
  },
  run: ({ args: [address = ""], options }, io) => {
    const { "address-space": addressSpace } = options;
    return run(io, options, (ipam) => ipam.unquarantine(address, spaceOf(addressSpace)));
  },
});

function spaceOf(addressSpace: string | undefined): { readonly addressSpace?: string } {
  return addressSpace === undefined ? {} : { addressSpace };
}
