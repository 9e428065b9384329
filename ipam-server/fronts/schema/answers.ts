/** Schemas of what the service answers: OpenAPI publishes them, the tests hold every answer against them. */
import { ERROR_TABLE, type ErrorJson } from "../../../lib/errors.ts";
import type {
  AcquireResponse,
  ConsistencyReport,
  Endpoint,
  EndpointAddress,
  Event,
  Finding,
  GcResponse,
  Lease,
  LeasedAddress,
  Network,
  NetworkStatus,
  NodeUsage,
  Pool,
  PoolUsage,
  RecoverAnswer,
  ReleaseResponse,
  ServiceInfo,
  ServiceNode,
  Subnet,
  Tenancy,
} from "../../../lib/ipam/api.ts";
import { array, boolean, instant, nullable, object, oneOf, optional, ref, type Schema } from "./kit.ts";
import { EVENT_KINDS, LEASE_STATES } from "./requests.ts";

const text = (description: string): Schema => ({ type: "string", description });
const count = (description: string): Schema => ({ type: "integer", minimum: 0, description });
const texts = (description: string): Schema => array(description, { type: "string" });
const textByName = (description: string): Schema => ({
  type: "object",
  additionalProperties: { type: "string" },
  description,
});
const sequence = count("Grows each time that the address is granted or confirmed");
const poolNumber = count("0-based place of the pool in the network");
const family = oneOf("Address family", [4, 6]);

const leasedAddress = object<LeasedAddress>("One address of an attachment", {
  address: text("With the prefix length of its subnet"),
  gateway: nullable(text("Null when the subnet has none")),
  subnet: text("Prefix that the address lies in"),
  pool: poolNumber,
  sequence,
  warm: optional(boolean("True when another MAC address had it a moment ago; absent otherwise")),
});

const acquireResponse = object<AcquireResponse>("What the attachment holds now", {
  networkId: text("ID of the network"),
  addresses: array("One per pool", ref("LeasedAddress")),
  created: boolean("False when the attachment held these addresses before this call"),
});

const releaseResponse = object<ReleaseResponse>("What was given back", {
  released: texts("Addresses that went into cooling; empty when there was nothing to release"),
  kept: texts("Addresses that the attachment still holds"),
});

const gcResponse = object<GcResponse>("What was released", {
  released: array("The attachments", ref("AttachmentKey")),
});

const poolUsage = object<PoolUsage>("Who is where in one pool; the five counts add up to the size", {
  pool: poolNumber,
  family,
  subnets: texts("Prefixes of the pool"),
  size: text("Addresses that the ranges span, in decimal"),
  bound: count("Held by attachments"),
  cooling: count("Released, not yet free"),
  quarantined: count("Kept out of use"),
  withheld: text("Reserved, excluded and gateway addresses, in decimal"),
  free: text("Free addresses, in decimal"),
});

const networkStatus = object<NetworkStatus>("How a network is doing", {
  networkName: text("The network"),
  ready: boolean("True when an acquire with no wishes would be served now"),
  reason: text("Why not; empty when ready"),
  pools: array("One per pool", ref("PoolUsage")),
});

const subnet = object<Subnet>("One subnet of a network", {
  subnet: text("The prefix"),
  gateway: nullable(text("Null when there is none")),
  gatewayGiven: boolean("True when whoever made the network named the gateway"),
  ipRange: nullable(text("The part that addresses are handed out of unasked, as it was given")),
  ranges: texts("Ranges that addresses are handed out from: first-last, inclusive"),
  exclusions: texts("Never handed out"),
  auxAddresses: textByName("Never handed out; name to address"),
  fromDefaultPool: boolean("True when the subnet came from the default pools"),
});

const pool = object<Pool>("Subnets of which an attachment gets one address", {
  pool: poolNumber,
  family,
  subnets: array("Its subnets", ref("Subnet")),
});

const network = object<Network>("A group of attachments that reach each other", {
  id: text("64 hexadecimal digits, random, never reused"),
  name: text("Unique"),
  driver: text("The kind of network"),
  origin: oneOf("Made by an admin, declared by the configuration of a node, or there from the start", [
    "api",
    "conflist",
    "predefined",
  ]),
  addressSpace: text("Subnets may overlap across address spaces, never inside one"),
  internal: boolean("No way out of the network"),
  attachable: boolean("Recorded for tools that ask"),
  ipv6: boolean("True when it has an IPv6 subnet"),
  coolingSeconds: count("Seconds for which a released address is kept out of use"),
  maxAttachments: nullable(count("Attachments that the network may hold at once; null: no limit")),
  options: textByName("Options of the driver"),
  labels: textByName("For people and programs; never interpreted"),
  pools: array("An attachment gets one address out of each", ref("Pool")),
  attachments: count("Attachments that hold addresses now"),
  createdAt: instant("When it was made"),
});

const lease = object<Lease>("One address that is not free", {
  address: text("Without prefix length"),
  addressSpace: text("Address space of its network"),
  networkName: text("Its network"),
  subnet: text("Prefix that it lies in"),
  pool: poolNumber,
  state: oneOf("What it is in", LEASE_STATES),
  sequence,
  containerId: text("Of the holder; of the last one while cooling; empty for a reservation"),
  ifname: text("CNI_IFNAME of the holder"),
  node: text("Node of the holder"),
  bootId: optional(text("Boot of the node in which it was granted, where that is known")),
  mac: text("MAC address of the holder, where it is known"),
  names: texts("Names of the holder"),
  acquiredAt: nullable(instant("When it was last granted")),
  since: instant("When the present state was entered"),
  until: nullable(instant("When a cooling address becomes free")),
  reason: text("Why it is quarantined or reserved"),
});

const endpointAddress = object<EndpointAddress>("One address of an endpoint", {
  address: text("With the prefix length of its subnet"),
  gateway: nullable(text("Null when the subnet has none")),
});

const endpoint = object<Endpoint>("One attachment, all its addresses together", {
  id: text("64 hexadecimal digits"),
  networkId: text("ID of its network"),
  networkName: text("Name of its network"),
  containerId: text("CNI_CONTAINERID"),
  ifname: text("CNI_IFNAME"),
  node: text("Node that it is on"),
  mac: text("MAC address, where it is known"),
  name: text("First of its names; empty when it has none"),
  names: texts("Names of the container"),
  addresses: array("In the order of the network's pools", ref("EndpointAddress")),
  acquiredAt: instant("When it was last acquired"),
});

const event = object<Event>("One change, written in the same transaction as the change itself", {
  revision: count("Grows by one per event, without gaps"),
  at: instant("When"),
  actor: text("Who asked: node:NAME, uid:0, server"),
  kind: oneOf("What happened", EVENT_KINDS),
  networkName: text("To which network"),
  networkId: text("Its ID, in events about networks themselves; empty in others"),
  addressSpace: text("In which address space"),
  address: text("To which address; empty for events about no address"),
  containerId: text("CNI_CONTAINERID of the holder"),
  ifname: text("CNI_IFNAME of the holder"),
  node: text("Node of the holder"),
  mac: text("MAC address of the holder"),
  sequence,
  reason: text("Why, where somebody said so"),
});

const tenancy = object<Tenancy>("One stay of one attachment on one address", {
  address: text("The address"),
  addressSpace: text("Its address space"),
  networkName: text("Network of the attachment"),
  containerId: text("CNI_CONTAINERID of the attachment"),
  ifname: text("CNI_IFNAME of the attachment"),
  node: text("Node of the attachment"),
  mac: text("MAC address of the attachment, where it is known"),
  sequence,
  from: instant("When it began"),
  to: nullable(instant("When it ended; null while it lasts")),
});

const nodeUsage = object<NodeUsage>("A node as far as the leases tell of it", {
  name: text("Its name"),
  networks: count("Networks that it has attachments on"),
  attachments: count("Its attachments"),
  addresses: count("Addresses that these hold"),
  bootId: optional(text("Boot in which the newest of them was granted, where that is known")),
  lastAcquiredAt: instant("When the newest of them was granted"),
});

const finding = object<Finding>("One contradiction", {
  severity: oneOf("How bad it is", ["error", "warning"]),
  object: text("What it is about"),
  problem: text("What is wrong"),
  remedy: text("What to do"),
});

const consistencyReport = object<ConsistencyReport>("What a check found", {
  revision: count("Revision that was checked"),
  networks: count("Networks looked at"),
  leases: count("Leases looked at"),
  findings: array("Empty when all is well", ref("Finding")),
});

const recoverAnswer = object<RecoverAnswer>("What was put right", {
  networks: texts("Networks that the store did not have"),
  bound: array("Attachments that the store did not know", ref("FoundAttachment")),
  quarantined: texts("Addresses that are out of use from now on"),
  problems: texts("What could not be put right, a sentence each"),
});

const serviceInfo = object<ServiceInfo>("Facts about the service", {
  recovering: boolean(
    "True while nothing is granted, because the store is not the one that this boot has seen",
  ),
  logId: text("Names the event log that revisions are of; another one after a restored backup"),
  version: text("Version of the program"),
  epoch: count("Grows each time that the store is opened"),
  revision: count("Revision of the newest event"),
  networks: count("Number of networks"),
  leases: object<ServiceInfo["leases"]>("Number of addresses by state", {
    bound: count("Held by attachments"),
    cooling: count("Released, not yet free"),
    quarantined: count("Kept out of use"),
    reserved: count("Set aside"),
  }),
  startedAt: instant("When this server started"),
  store: text("Kind and place of the store"),
  node: optional(
    object<ServiceNode>("Where the service runs", {
      name: text("Under which those who call from this machine hold leases"),
      bootId: text("Of the present boot"),
      netns: text("Identity of the network namespace that the service runs in"),
    }),
  ),
});

const errorJson = object<ErrorJson>("Explains a failed call", {
  code: oneOf("Stable name of the error", Object.keys(ERROR_TABLE)),
  operation: text("What was being done"),
  object: text("What it was done to"),
  reason: text("What went wrong"),
  hint: text("What the reader can do about it"),
  details: { type: "object", additionalProperties: true, description: "Facts for programs" },
});

export const ANSWER_SCHEMAS = {
  LeasedAddress: leasedAddress,
  AcquireResponse: acquireResponse,
  ReleaseResponse: releaseResponse,
  GcResponse: gcResponse,
  PoolUsage: poolUsage,
  NetworkStatus: networkStatus,
  Subnet: subnet,
  Pool: pool,
  Network: network,
  Networks: object<{ readonly networks: readonly Network[] }>("Networks", {
    networks: array("All of them", ref("Network")),
  }),
  Lease: lease,
  Leases: object<{ readonly leases: readonly Lease[] }>("Leases", {
    leases: array("Those that match", ref("Lease")),
  }),
  EndpointAddress: endpointAddress,
  Endpoint: endpoint,
  Endpoints: object<{ readonly endpoints: readonly Endpoint[] }>("Endpoints", {
    endpoints: array("Those that match", ref("Endpoint")),
  }),
  Event: event,
  Events: object<{ readonly events: readonly Event[] }>("Events", {
    events: array("Oldest first", ref("Event")),
  }),
  Tenancy: tenancy,
  Tenancies: object<{ readonly tenancies: readonly Tenancy[] }>("Stays", {
    tenancies: array("Oldest first", ref("Tenancy")),
  }),
  NodeUsage: nodeUsage,
  Nodes: object<{ readonly nodes: readonly NodeUsage[] }>("Nodes", {
    nodes: array("By name", ref("NodeUsage")),
  }),
  Finding: finding,
  ConsistencyReport: consistencyReport,
  RecoverAnswer: recoverAnswer,
  ServiceInfo: serviceInfo,
  Error: object<{ error: ErrorJson }>("Body of every answer that is not a success", { error: errorJson }),
} as const satisfies Record<string, Schema>;
