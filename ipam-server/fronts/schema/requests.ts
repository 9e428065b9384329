/**
 * Schemas of what callers send. The HTTP and the gRPC front check every request against them; OpenAPI
 * publishes them.
 *
 * They hold shape and size. What a value means (is this an address, does it lie in that subnet) is the
 * service's to judge, so that it is judged alike however a request came in.
 */
import {
  type AcquireRequest,
  type AttachmentKey,
  type CreateNetworkRequest,
  type EndpointFilter,
  type EventFilter,
  type EventKind,
  type FoundAddress,
  type FoundAttachment,
  type FoundNetwork,
  type GcRequest,
  type LeaseFilter,
  type LeaseState,
  MOST_FOUND,
  type NetworkDeclaration,
  type NetworkRef,
  type NetworkStatusRequest,
  type QuarantineRef,
  type QuarantineRequest,
  type RangeDeclaration,
  type RecoverRequest,
  type ReleaseRequest,
  type ReservationRef,
  type ReservationRequest,
  type SubnetSpec,
  type Survey,
  type SurveyedAddress,
  type TenancyFilter,
  type VerifyRequest,
} from "../../../lib/ipam/api.ts";
import {
  array,
  boolean,
  instant,
  integer,
  object,
  oneOf,
  optional,
  ref,
  type Schema,
  string,
  textMap,
} from "./kit.ts";

export const LEASE_STATES: readonly LeaseState[] = ["bound", "cooling", "quarantined", "reserved"];

export const EVENT_KINDS: readonly EventKind[] = [
  "network-created",
  "network-changed",
  "network-removed",
  "lease-bound",
  "lease-released",
  "lease-freed",
  "lease-quarantined",
  "lease-unquarantined",
  "address-reserved",
  "address-unreserved",
  "server-started",
  "store-recovered",
];

/** Names and IDs: longer than any runtime makes them, short enough to store a million of. */
const NAME = { minLength: 1, maxLength: 255 };
/** The longest text of an IPv6 prefix or range has 79 characters. */
const ADDRESS = { minLength: 1, maxLength: 80 };
const REASON = { maxLength: 1024 };
/** A year; an address that shall never come back is excluded instead. */
const COOLING = { minimum: 0, maximum: 31_536_000 };
const COUNT = { minimum: 0, maximum: 4_294_967_295 };
const REVISION = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

const name = (description: string): Schema => string(description, NAME);
const address = (description: string): Schema => string(description, ADDRESS);
/** Names of attempts are random; a client needs some twenty characters. */
const attemptName = (description: string): Schema => string(description, { minLength: 1, maxLength: 64 });

const networkNameField = name("Name of the network");
const networkRefField = name("Name, ID, or an unambiguous prefix of the ID");
const addressField = address("Address without prefix length");
const addressSpaceField = name(
  'Subnets may overlap across address spaces, never inside one. Default: "default"',
);

const attachmentKey = object<AttachmentKey>("Names one attachment: what CNI ADD makes and DEL takes away", {
  networkName: networkNameField,
  containerId: name("CNI_CONTAINERID"),
  ifname: string("CNI_IFNAME, at most 15 bytes", { minLength: 1, maxLength: 15 }),
});

const rangeDeclaration = object<RangeDeclaration>("One range of a conflist, in host-local's words", {
  subnet: address("Prefix that the range lies in; host bits are zero"),
  rangeStart: optional(address("First address handed out, inclusive. Default: the first host")),
  rangeEnd: optional(address("Last address handed out, inclusive. Default: the last host")),
  gateway: optional(address("Never handed out. Default: the first host")),
  exclude: optional(
    array("Never handed out: prefixes, ranges, addresses", { type: "string", ...ADDRESS }, { maxItems: 256 }),
  ),
});

const rangeSet = array("Ranges of which an attachment gets one address", ref("RangeDeclaration"), {
  maxItems: 256,
});

const networkDeclaration = object<NetworkDeclaration>("What a conflist says about addresses", {
  rangeSets: array("An attachment gets one address out of each set", rangeSet, { maxItems: 16 }),
  addressSpace: optional(addressSpaceField),
  coolingSeconds: optional(integer("Seconds for which a released address is kept out of use", COOLING)),
});

const surveyedAddress = object<SurveyedAddress>(
  "An address that was in use before the service knew its network",
  {
    address: addressField,
    seen: string("Where it was seen", { minLength: 1, ...REASON }),
    containerId: optional(name("Whose it is; without it, the address is quarantined")),
    ifname: optional(string("The holder's interface", { minLength: 1, maxLength: 15 })),
  },
);

const survey = object<Survey>("What a look at the calling node has found", {
  found: array("Each address once", surveyedAddress, { maxItems: MOST_FOUND }),
});

const acquireRequest = object<AcquireRequest>("Asks for the addresses of one attachment", {
  key: ref("AttachmentKey"),
  declaration: optional(ref("NetworkDeclaration")),
  canSurvey: optional(
    boolean(
      "A declaration that is new to the service is refused with survey-needed, until a survey comes with it",
    ),
  ),
  survey: optional(survey),
  requestedAddresses: optional(
    array("Addresses asked for, at most one per pool", addressField, { maxItems: 16 }),
  ),
  stickyName: optional(name("The same name gets the same addresses again, as long as nobody else took them")),
  mac: optional(string("MAC address of the interface; recorded only", { maxLength: 59 })),
  names: optional(array("Names of the container", name("A name"), { maxItems: 64 })),
  bootId: optional(name("Boot ID of the node")),
  attempt: optional(attemptName("Name of this attempt: the same request under it is answered alike")),
});

const releaseRequest = object<ReleaseRequest>("Gives back what an attachment holds", {
  key: ref("AttachmentKey"),
  acquiredBefore: optional(instant("Only what was acquired before this instant is released")),
  sequences: optional(
    array("Only grants with these sequences", integer("Sequence of a grant", REVISION), { maxItems: 64 }),
  ),
  upToSequence: optional(integer("Only grants with a sequence up to this one", REVISION)),
  attempts: optional(
    array("Acquires that were given up: refused if they arrive now", attemptName("Name of an acquire"), {
      maxItems: 64,
    }),
  ),
  onlyAttempts: optional(boolean("Only what these attempts were granted")),
  attempt: optional(attemptName("Name of this release: it is carried out once")),
  anyNode: optional(boolean("Also what another node holds")),
  reason: optional({ type: "string", description: "Recorded with the event", ...REASON }),
});

const verifyRequest = object<VerifyRequest>("Asks whether an attachment holds what it believes to hold", {
  key: ref("AttachmentKey"),
  addresses: optional(
    array(
      "Every address that the attachment holds must be among them; with or without prefix length",
      addressField,
      { maxItems: 64 },
    ),
  ),
});

const gcRequest = object<GcRequest>("Releases what is no longer alive", {
  networkName: networkNameField,
  validAttachments: array(
    "Attachments that are alive",
    object<GcRequest["validAttachments"][number]>("An attachment of the network", {
      containerId: name("CNI_CONTAINERID"),
      ifname: string("CNI_IFNAME", { minLength: 1, maxLength: 15 }),
    }),
    { maxItems: 100_000 },
  ),
});

const networkStatusRequest = object<NetworkStatusRequest>("Asks how a network is doing", {
  networkName: networkNameField,
  declaration: optional(ref("NetworkDeclaration")),
});

const subnetSpec = object<SubnetSpec>("One subnet of a network to be made", {
  subnet: address("The prefix"),
  ipRange: optional(address("Only addresses of this prefix are handed out unasked")),
  rangeStart: optional(address("First address handed out unasked, inclusive")),
  rangeEnd: optional(address("Last address handed out unasked, inclusive")),
  gateway: optional({
    type: ["string", "null"],
    ...ADDRESS,
    description: "Default: the first host; null: none",
  }),
  auxAddresses: optional(textMap("Never handed out; name to address", { maxProperties: 256, maxLength: 80 })),
  exclusions: optional(
    array("Never handed out: a range `first-last`, a prefix, or one address", address("An exclusion"), {
      maxItems: 1024,
    }),
  ),
});

const createNetworkRequest = object<CreateNetworkRequest>("Makes a network", {
  name: networkNameField,
  driver: optional(name('Default: "bridge"')),
  subnets: optional(
    array("Absent or empty: leased from the default pools", ref("SubnetSpec"), { maxItems: 256 }),
  ),
  ipv4: optional(
    boolean("Lease an IPv4 subnet from the default pools, where none is named; default: where no subnet is"),
  ),
  ipv6: optional(boolean("Also lease an IPv6 subnet from the default pools")),
  internal: optional(boolean("No way out of the network")),
  attachable: optional(boolean("Recorded for tools that ask. Default: false")),
  addressSpace: optional(addressSpaceField),
  coolingSeconds: optional(integer("Seconds for which a released address is kept out of use", COOLING)),
  maxAttachments: optional(
    integer("Attachments that the network may hold at once. Default: no limit", COUNT),
  ),
  options: optional(textMap("Options of the driver", { maxProperties: 256, maxLength: 4096 })),
  labels: optional(
    textMap("For people and programs; never interpreted", { maxProperties: 256, maxLength: 4096 }),
  ),
  avoid: optional(
    array("A subnet out of the default pools touches none of these", address("A prefix"), { maxItems: 4096 }),
  ),
});

const leaseFilter = object<LeaseFilter>("Which leases; all given fields must match", {
  networkName: optional(networkRefField),
  state: optional(oneOf("In this state", LEASE_STATES)),
  containerId: optional(name("Of this container")),
  node: optional(name("Of this node")),
  address: optional(addressField),
});

const endpointFilter = object<EndpointFilter>("Which endpoints; all given fields must match", {
  networkName: optional(networkNameField),
  containerId: optional(name("Of this container")),
  ifname: optional(string("Of this CNI_IFNAME", { minLength: 1, maxLength: 15 })),
  node: optional(name("Of this node")),
  name: optional(name("One of its names")),
});

const reservationRequest = object<ReservationRequest>("Sets an address aside", {
  networkName: networkRefField,
  address: addressField,
  reason: optional(string("Why", REASON)),
  stickyName: optional(name("The sticky name that may have the address")),
});

const quarantineRequest = object<QuarantineRequest>("Keeps an address out of use", {
  address: addressField,
  addressSpace: optional(addressSpaceField),
  reason: string("Why", REASON),
});

const logIdField = optional({
  type: "string",
  pattern: "^[0-9a-f]{32}$",
  description: "The log that `since` is of: in another one the place is refused",
});

const eventFilter = object<EventFilter>("Which events; all given fields must match", {
  since: optional(integer("Only events with a higher revision", REVISION)),
  logId: logIdField,
  networkName: optional(networkNameField),
  address: optional(addressField),
  containerId: optional(name("About this container")),
  kind: optional(oneOf("Of this kind", EVENT_KINDS)),
  from: optional(instant("At or after this instant")),
  to: optional(instant("At or before this instant")),
  limit: optional(integer("Default 1,000", { minimum: 1, maximum: 10_000 })),
});

const tenancyFilter = object<TenancyFilter>("Whose stays on an address", {
  address: addressField,
  addressSpace: optional(addressSpaceField),
  at: optional(instant("Only the stay that covers this instant")),
});

const unquarantineRequest = object<QuarantineRef>("Takes a quarantine back", {
  address: addressField,
  addressSpace: optional(addressSpaceField),
});

const unreserveRequest = object<ReservationRef>("Takes a reservation back", {
  networkName: networkRefField,
  address: addressField,
});

const networkRefRequest = object<NetworkRef>("Names a network", { name: networkRefField });

const watchRequest = object<Pick<EventFilter, "since" | "logId">>("Which events", {
  since: optional(integer("Only events with a higher revision. Absent: those from now on", REVISION)),
  logId: logIdField,
});

const interfaceAddresses = array("With prefix length", { type: "string", ...ADDRESS });

const foundAttachment = object<FoundAttachment>("An attachment that was found on a node", {
  key: ref("AttachmentKey"),
  addresses: interfaceAddresses,
  mac: optional({ type: "string", maxLength: 64, description: "MAC address of the container's interface" }),
  names: optional(array("Names of the container", { type: "string", maxLength: 255 })),
});

const foundNetwork = object<FoundNetwork>("A network that was found on a node", {
  id: { type: "string", pattern: "^[0-9a-f]{64}$", description: "As its conflist says" },
  name: networkNameField,
  gateways: interfaceAddresses,
  internal: { type: "boolean", description: "Whether it is cut off from the outside" },
  options: { type: "object", additionalProperties: { type: "string" }, description: "Options by name" },
});

const foundAddress = object<FoundAddress>("An address that is in use by somebody unknown", {
  address: addressField,
  reason: { type: "string", description: "Where it was seen", ...REASON },
});

const recoverRequest = object<RecoverRequest>("All that is attached to the calling node", {
  bootId: name("Boot ID of the node"),
  networks: array("Networks", ref("FoundNetwork")),
  attachments: array("Attachments", ref("FoundAttachment")),
  addresses: array("Addresses of holders that are not known", ref("FoundAddress")),
});

export const REQUEST_SCHEMAS = {
  FoundAttachment: foundAttachment,
  FoundNetwork: foundNetwork,
  FoundAddress: foundAddress,
  RecoverRequest: recoverRequest,
  AttachmentKey: attachmentKey,
  RangeDeclaration: rangeDeclaration,
  NetworkDeclaration: networkDeclaration,
  AcquireRequest: acquireRequest,
  ReleaseRequest: releaseRequest,
  VerifyRequest: verifyRequest,
  GcRequest: gcRequest,
  NetworkStatusRequest: networkStatusRequest,
  SubnetSpec: subnetSpec,
  CreateNetworkRequest: createNetworkRequest,
  NetworkRefRequest: networkRefRequest,
  LeaseFilter: leaseFilter,
  EndpointFilter: endpointFilter,
  ReservationRequest: reservationRequest,
  UnreserveRequest: unreserveRequest,
  QuarantineRequest: quarantineRequest,
  UnquarantineRequest: unquarantineRequest,
  EventFilter: eventFilter,
  WatchRequest: watchRequest,
  TenancyFilter: tenancyFilter,
} as const satisfies Record<string, Schema>;

export type RequestSchemaName = keyof typeof REQUEST_SCHEMAS;
