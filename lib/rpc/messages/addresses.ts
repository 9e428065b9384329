/** How leases, endpoints and what is set aside travel in messages of proto/fairlead/v1/ipam.proto. */
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
import { texts } from "./common.ts";

const state = words<api.LeaseState, proto.LeaseState>("lease state", {
  bound: "LEASE_STATE_BOUND",
  cooling: "LEASE_STATE_COOLING",
  quarantined: "LEASE_STATE_QUARANTINED",
  reserved: "LEASE_STATE_RESERVED",
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
  bootId: optional(text),
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

const endpoint = record<api.Endpoint, proto.Endpoint>({
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

export const reservationRef = record<api.ReservationRef, proto.UnreserveRequest>({
  networkName: text,
  address: text,
});

export const quarantineRef = record<api.QuarantineRef, proto.UnquarantineRequest>({
  address: text,
  addressSpace: optional(text),
});

export const leaseAnswer = wrapped("lease", required("lease", lease));

export const leasesAnswer = wrapped("leases", list(lease));

export const endpointsAnswer = wrapped("endpoints", list(endpoint));
