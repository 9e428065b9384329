/**
 * How each value of lib/ipam/api.ts travels in the messages of proto/fairlead/v1/ipam.proto.
 *
 * Both are named alike, field by field; what is left to say is which fields may be absent and which are
 * instants, words or nested. The type checker compares every entry with both sides.
 */
import type * as api from "../ipam/api.ts";
import {
  absentIfEmpty,
  type Codec,
  flag,
  instant,
  list,
  nullable,
  number,
  optional,
  optionalWords,
  record,
  required,
  text,
  textMap,
  words,
  wrapped,
} from "./codec.ts";
import type * as proto from "./generated/fairlead/v1/ipam.ts";

const texts = list(text);
const optionalTexts = absentIfEmpty(texts, () => []);
const optionalTextMap = absentIfEmpty(textMap, () => ({}));

const family = words<4 | 6, proto.Family>("family", { 4: "FAMILY_IPV4", 6: "FAMILY_IPV6" });

const origin = words<api.Network["origin"], proto.NetworkOrigin>("origin", {
  api: "NETWORK_ORIGIN_API",
  conflist: "NETWORK_ORIGIN_CONFLIST",
  predefined: "NETWORK_ORIGIN_PREDEFINED",
});

const state = words<api.LeaseState, proto.LeaseState>("lease state", {
  bound: "LEASE_STATE_BOUND",
  cooling: "LEASE_STATE_COOLING",
  quarantined: "LEASE_STATE_QUARANTINED",
  reserved: "LEASE_STATE_RESERVED",
});

const kind = words<api.EventKind, proto.EventKind>("event kind", {
  "network-created": "EVENT_KIND_NETWORK_CREATED",
  "network-changed": "EVENT_KIND_NETWORK_CHANGED",
  "network-removed": "EVENT_KIND_NETWORK_REMOVED",
  "lease-bound": "EVENT_KIND_LEASE_BOUND",
  "lease-released": "EVENT_KIND_LEASE_RELEASED",
  "lease-freed": "EVENT_KIND_LEASE_FREED",
  "lease-quarantined": "EVENT_KIND_LEASE_QUARANTINED",
  "lease-unquarantined": "EVENT_KIND_LEASE_UNQUARANTINED",
  "address-reserved": "EVENT_KIND_ADDRESS_RESERVED",
  "address-unreserved": "EVENT_KIND_ADDRESS_UNRESERVED",
  "server-started": "EVENT_KIND_SERVER_STARTED",
  "store-recovered": "EVENT_KIND_STORE_RECOVERED",
});

const severity = words<api.Finding["severity"], proto.Severity>("severity", {
  error: "SEVERITY_ERROR",
  warning: "SEVERITY_WARNING",
});

export const attachmentKey = record<api.AttachmentKey, proto.AttachmentKey>({
  networkName: text,
  containerId: text,
  ifname: text,
});

const rangeDeclaration = record<api.RangeDeclaration, proto.RangeDeclaration>({
  subnet: text,
  rangeStart: optional(text),
  rangeEnd: optional(text),
  gateway: optional(text),
  exclude: optionalTexts,
});

const networkDeclaration = record<api.NetworkDeclaration, proto.NetworkDeclaration>({
  rangeSets: list(wrapped("ranges", list(rangeDeclaration))),
  addressSpace: optional(text),
  coolingSeconds: optional(number),
});

const survey = record<api.Survey, proto.Survey>({
  found: list(
    record<api.SurveyedAddress, proto.SurveyedAddress>({
      address: text,
      seen: text,
      containerId: optional(text),
      ifname: optional(text),
    }),
  ),
});

export const acquireRequest = record<api.AcquireRequest, proto.AcquireRequest>({
  key: required("key", attachmentKey),
  declaration: optional(networkDeclaration),
  requestedAddresses: optionalTexts,
  stickyName: optional(text),
  mac: optional(text),
  names: optionalTexts,
  bootId: optional(text),
  attempt: optional(text),
  canSurvey: optional(flag),
  survey: optional(survey),
});

export const acquireResponse = record<api.AcquireResponse, proto.AcquireResponse>({
  networkId: text,
  addresses: list(
    record<api.LeasedAddress, proto.LeasedAddress>({
      address: text,
      gateway: nullable(text),
      subnet: text,
      pool: number,
      sequence: number,
      warm: optional(flag),
    }),
  ),
  created: flag,
});

export const releaseRequest = record<api.ReleaseRequest, proto.ReleaseRequest>({
  key: required("key", attachmentKey),
  acquiredBefore: optional(instant),
  sequences: optional(wrapped("values", list(number))),
  upToSequence: optional(number),
  attempts: optionalTexts,
  onlyAttempts: optional(flag),
  attempt: optional(text),
  anyNode: optional(flag),
  reason: optional(text),
});

export const releaseResponse = record<api.ReleaseResponse, proto.ReleaseResponse>({
  released: texts,
  kept: texts,
});

const verifyKey = required("key", attachmentKey);
const verifyExpected = optional(wrapped("addresses", texts));

/** The one request whose field is named otherwise: `addresses` is `expected` on the wire. */
export const verifyRequest: Codec<api.VerifyRequest, proto.VerifyRequest> = {
  encode: ({ key, addresses }) => ({
    key: verifyKey.encode(key),
    expected: verifyExpected.encode(addresses),
  }),
  decode({ key, expected }) {
    const addresses = verifyExpected.decode(expected);
    return { key: verifyKey.decode(key), ...(addresses && { addresses }) };
  },
};

export const gcRequest = record<api.GcRequest, proto.GcRequest>({
  networkName: text,
  validAttachments: list(
    record<api.GcRequest["validAttachments"][number], proto.GcRequest_Attachment>({
      containerId: text,
      ifname: text,
    }),
  ),
});

export const gcResponse = record<api.GcResponse, proto.GcResponse>({ released: list(attachmentKey) });

export const networkStatusRequest = record<api.NetworkStatusRequest, proto.GetNetworkStatusRequest>({
  networkName: text,
  declaration: optional(networkDeclaration),
});

export const networkStatus = record<api.NetworkStatus, proto.GetNetworkStatusResponse>({
  networkName: text,
  ready: flag,
  reason: text,
  pools: list(
    record<api.PoolUsage, proto.PoolUsage>({
      pool: number,
      family,
      subnets: texts,
      size: text,
      bound: number,
      cooling: number,
      quarantined: number,
      withheld: text,
      free: text,
    }),
  ),
});

/** The gateway of a subnet to be made: absent (the default one), null (none), or an address. */
const gatewayChoice: Codec<string | null | undefined, proto.SubnetSpec["gatewayChoice"]> = {
  encode(value) {
    if (value === undefined) return undefined;
    return value === null ? { $case: "noGateway", value: true } : { $case: "gateway", value };
  },
  decode(message) {
    if (message === undefined) return undefined;
    if (message.$case === "gateway") return message.value;
    return message.value ? null : undefined;
  },
};

const subnetSpecFields = record<Omit<api.SubnetSpec, "gateway">, Omit<proto.SubnetSpec, "gatewayChoice">>({
  subnet: text,
  ipRange: optional(text),
  rangeStart: optional(text),
  rangeEnd: optional(text),
  auxAddresses: optionalTextMap,
  exclusions: optionalTexts,
});

const subnetSpec: Codec<api.SubnetSpec, proto.SubnetSpec> = {
  encode: ({ gateway, ...rest }) => ({
    ...subnetSpecFields.encode(rest),
    gatewayChoice: gatewayChoice.encode(gateway),
  }),
  decode(message) {
    const gateway = gatewayChoice.decode(message.gatewayChoice);
    return { ...subnetSpecFields.decode(message), ...(gateway !== undefined && { gateway }) };
  },
};

export const createNetworkRequest = record<api.CreateNetworkRequest, proto.CreateNetworkRequest>({
  name: text,
  driver: optional(text),
  subnets: absentIfEmpty(list(subnetSpec), () => []),
  ipv6: optional(flag),
  internal: optional(flag),
  attachable: optional(flag),
  addressSpace: optional(text),
  coolingSeconds: optional(number),
  maxAttachments: optional(number),
  options: optionalTextMap,
  labels: optionalTextMap,
  avoid: optionalTexts,
});

const subnet = record<api.Subnet, proto.Subnet>({
  subnet: text,
  gateway: nullable(text),
  gatewayGiven: flag,
  ipRange: nullable(text),
  ranges: texts,
  exclusions: texts,
  auxAddresses: textMap,
  fromDefaultPool: flag,
});

export const network = record<api.Network, proto.Network>({
  id: text,
  name: text,
  driver: text,
  origin,
  addressSpace: text,
  internal: flag,
  attachable: flag,
  ipv6: flag,
  coolingSeconds: number,
  maxAttachments: nullable(number),
  options: textMap,
  labels: textMap,
  pools: list(record<api.Pool, proto.Pool>({ pool: number, family, subnets: list(subnet) })),
  attachments: number,
  createdAt: required("created_at", instant),
});

export const lease = record<api.Lease, proto.Lease>({
  address: text,
  addressSpace: text,
  networkName: text,
  subnet: text,
  pool: number,
  state,
  sequence: number,
  containerId: text,
  ifname: text,
  node: text,
  mac: text,
  names: texts,
  acquiredAt: nullable(instant),
  since: required("since", instant),
  until: nullable(instant),
  reason: text,
});

export const leaseFilter = record<api.LeaseFilter, proto.ListLeasesRequest>({
  networkName: optional(text),
  state: optionalWords(state, "LEASE_STATE_UNSPECIFIED"),
  containerId: optional(text),
  node: optional(text),
  address: optional(text),
});

export const endpoint = record<api.Endpoint, proto.Endpoint>({
  id: text,
  networkId: text,
  networkName: text,
  containerId: text,
  ifname: text,
  node: text,
  mac: text,
  name: text,
  names: texts,
  addresses: list(
    record<api.EndpointAddress, proto.EndpointAddress>({ address: text, gateway: nullable(text) }),
  ),
  acquiredAt: required("acquired_at", instant),
});

export const endpointFilter = record<api.EndpointFilter, proto.ListEndpointsRequest>({
  networkName: optional(text),
  containerId: optional(text),
  ifname: optional(text),
  node: optional(text),
  name: optional(text),
});

export const reservationRequest = record<api.ReservationRequest, proto.ReserveRequest>({
  networkName: text,
  address: text,
  reason: optional(text),
  stickyName: optional(text),
});

export const quarantineRequest = record<api.QuarantineRequest, proto.QuarantineRequest>({
  address: text,
  addressSpace: optional(text),
  reason: text,
});

export const event = record<api.Event, proto.Event>({
  revision: number,
  at: required("at", instant),
  actor: text,
  kind,
  networkName: text,
  networkId: text,
  addressSpace: text,
  address: text,
  containerId: text,
  ifname: text,
  node: text,
  mac: text,
  sequence: number,
  reason: text,
});

export const eventFilter = record<api.EventFilter, proto.ListEventsRequest>({
  since: optional(number),
  logId: optional(text),
  networkName: optional(text),
  address: optional(text),
  containerId: optional(text),
  kind: optionalWords(kind, "EVENT_KIND_UNSPECIFIED"),
  from: optional(instant),
  to: optional(instant),
  limit: optional(number),
});

export const tenancy = record<api.Tenancy, proto.Tenancy>({
  address: text,
  addressSpace: text,
  networkName: text,
  containerId: text,
  ifname: text,
  node: text,
  mac: text,
  sequence: number,
  from: required("from", instant),
  to: nullable(instant),
});

export const tenancyFilter = record<api.TenancyFilter, proto.WhoHadRequest>({
  address: text,
  addressSpace: optional(text),
  at: optional(instant),
});

export const consistencyReport = record<api.ConsistencyReport, proto.CheckConsistencyResponse>({
  revision: number,
  networks: number,
  leases: number,
  findings: list(record<api.Finding, proto.Finding>({ severity, object: text, problem: text, remedy: text })),
});

export const serviceInfo = record<api.ServiceInfo, proto.GetInfoResponse>({
  version: text,
  epoch: number,
  revision: number,
  networks: number,
  leases: required(
    "leases",
    record<api.ServiceInfo["leases"], proto.LeaseCounts>({
      bound: number,
      cooling: number,
      quarantined: number,
      reserved: number,
    }),
  ),
  startedAt: required("started_at", instant),
  store: text,
  logId: text,
  recovering: flag,
});

/** Requests that say nothing. */
export const emptyRequest: Codec<object, object> = { encode: () => ({}), decode: () => ({}) };

/** Answers that say no more than that it was done. */
export const nothing: Codec<Awaited<ReturnType<api.IpamService["verify"]>>, object> = {
  encode: () => ({}),
  decode: () => undefined,
};

export const networkRef = record<{ name: string }, proto.GetNetworkRequest>({ name: text });

export const unreserveRequest = record<{ networkName: string; address: string }, proto.UnreserveRequest>({
  networkName: text,
  address: text,
});

export const unquarantineRequest = record<
  { address: string; addressSpace?: string },
  proto.UnquarantineRequest
>({ address: text, addressSpace: optional(text) });

const foundAttachment = record<api.FoundAttachment, proto.FoundAttachment>({
  key: required("key", attachmentKey),
  addresses: list(text),
  mac: optional(text),
  names: optionalTexts,
});

export const recoverRequest = record<api.RecoverRequest, proto.RecoverRequest>({
  bootId: text,
  networks: list(
    record<api.FoundNetwork, proto.FoundNetwork>({
      id: text,
      name: text,
      gateways: list(text),
      internal: flag,
      options: textMap,
    }),
  ),
  attachments: list(foundAttachment),
  addresses: list(record<api.FoundAddress, proto.FoundAddress>({ address: text, reason: text })),
});

export const recoverAnswer = record<api.RecoverAnswer, proto.RecoverResponse>({
  networks: list(text),
  bound: list(foundAttachment),
  quarantined: list(text),
  problems: list(text),
});

export const watchRequest = record<Pick<api.EventFilter, "since" | "logId">, proto.WatchEventsRequest>({
  since: optional(number),
  logId: optional(text),
});

// Answers that hold one object or one list in a field of its own, so that the message can grow.
/** The event of a WatchEventsResponse. */
export const eventField = required("event", event);
export const networkAnswer = wrapped("network", required("network", network));
export const leaseAnswer = wrapped("lease", required("lease", lease));
export const networksAnswer = wrapped("networks", list(network));
export const leasesAnswer = wrapped("leases", list(lease));
export const endpointsAnswer = wrapped("endpoints", list(endpoint));
export const eventsAnswer = wrapped("events", list(event));
export const tenanciesAnswer = wrapped("tenancies", list(tenancy));
