/** How events and stays travel in messages of proto/fairlead/v1/ipam.proto. */
import type * as api from "../../ipam/api.ts";
import type * as proto from "../generated/fairlead/v1/ipam.ts";
import {
  instant,
  list,
  nullable,
  number,
  optional,
  optionalWords,
  record,
  required,
  text,
  words,
  wrapped,
} from "./codec.ts";

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

const tenancy = record<api.Tenancy, proto.Tenancy>({
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

export const watchRequest = record<Pick<api.EventFilter, "since" | "logId">, proto.WatchEventsRequest>({
  since: optional(number),
  logId: optional(text),
});

// Answers that hold one object or one list in a field of its own, so that the message can grow.
/** The event of a WatchEventsResponse. */
export const eventField = required("event", event);

export const eventsAnswer = wrapped("events", list(event));

export const tenanciesAnswer = wrapped("tenancies", list(tenancy));
