/**
 * The operations of the service as both fronts see them: how each checks what came in and which method it
 * calls. HTTP and gRPC differ only in how they carry the values.
 */

import type * as api from "../lib/ipam/api.ts";
import type { Caller, IpamService } from "../lib/ipam/api.ts";
import type { OperationName } from "../lib/rpc/operations.ts";
import type { RequestSchemaName } from "./schema/requests.ts";

/** The answer of an operation that says no more than that it was done. */
export type Done = Awaited<ReturnType<IpamService["verify"]>>;

/** Request and answer of every operation that answers once. */
export interface OperationTypes {
  acquire: { request: api.AcquireRequest; answer: api.AcquireResponse };
  release: { request: api.ReleaseRequest; answer: api.ReleaseResponse };
  verify: { request: api.VerifyRequest; answer: Done };
  gc: { request: api.GcRequest; answer: api.GcResponse };
  networkStatus: { request: api.NetworkStatusRequest; answer: api.NetworkStatus };
  createNetwork: { request: api.CreateNetworkRequest; answer: api.Network };
  listNetworks: { request: object; answer: readonly api.Network[] };
  getNetwork: { request: { name: string }; answer: api.Network };
  removeNetwork: { request: { name: string }; answer: Done };
  listLeases: { request: api.LeaseFilter; answer: readonly api.Lease[] };
  listEndpoints: { request: api.EndpointFilter; answer: readonly api.Endpoint[] };
  reserve: { request: api.ReservationRequest; answer: api.Lease };
  unreserve: { request: { networkName: string; address: string }; answer: Done };
  quarantine: { request: api.QuarantineRequest; answer: Done };
  unquarantine: { request: { address: string; addressSpace?: string }; answer: Done };
  listEvents: { request: api.EventFilter; answer: readonly api.Event[] };
  whoHad: { request: api.TenancyFilter; answer: readonly api.Tenancy[] };
  checkConsistency: { request: object; answer: api.ConsistencyReport };
  recover: { request: api.RecoverRequest; answer: api.RecoverAnswer };
  info: { request: object; answer: api.ServiceInfo };
}

export type UnaryOperation = keyof OperationTypes & OperationName;

export interface OperationCall<N extends UnaryOperation> {
  /** Schema of the request; null when there is nothing to say. */
  readonly schema: RequestSchemaName | null;
  call(
    service: IpamService,
    request: OperationTypes[N]["request"],
    caller: Caller,
  ): Promise<OperationTypes[N]["answer"]>;
}

export const OPERATION_CALLS: { readonly [N in UnaryOperation]: OperationCall<N> } = {
  acquire: {
    schema: "AcquireRequest",
    call: (service, request, caller) => service.acquire(request, caller),
  },
  release: {
    schema: "ReleaseRequest",
    call: (service, request, caller) => service.release(request, caller),
  },
  verify: {
    schema: "VerifyRequest",
    call: (service, request, caller) => service.verify(request, caller),
  },
  gc: {
    schema: "GcRequest",
    call: (service, request, caller) => service.gc(request, caller),
  },
  networkStatus: {
    schema: "NetworkStatusRequest",
    call: (service, request, caller) => service.networkStatus(request, caller),
  },
  createNetwork: {
    schema: "CreateNetworkRequest",
    call: (service, request, caller) => service.createNetwork(request, caller),
  },
  listNetworks: { schema: null, call: (service) => service.listNetworks() },
  getNetwork: {
    schema: "NetworkRefRequest",
    call: (service, { name }) => service.getNetwork(name),
  },
  removeNetwork: {
    schema: "NetworkRefRequest",
    call: (service, { name }, caller) => service.removeNetwork(name, caller),
  },
  listLeases: {
    schema: "LeaseFilter",
    call: (service, filter) => service.listLeases(filter),
  },
  listEndpoints: {
    schema: "EndpointFilter",
    call: (service, filter) => service.listEndpoints(filter),
  },
  reserve: {
    schema: "ReservationRequest",
    call: (service, request, caller) => service.reserve(request, caller),
  },
  unreserve: {
    schema: "UnreserveRequest",
    call: (service, { networkName, address }, caller) => service.unreserve(networkName, address, caller),
  },
  quarantine: {
    schema: "QuarantineRequest",
    call: (service, request, caller) => service.quarantine(request, caller),
  },
  unquarantine: {
    schema: "UnquarantineRequest",
    call: (service, { address, addressSpace }, caller) => service.unquarantine(address, addressSpace, caller),
  },
  listEvents: {
    schema: "EventFilter",
    call: (service, filter) => service.listEvents(filter),
  },
  whoHad: {
    schema: "TenancyFilter",
    call: (service, filter) => service.whoHad(filter),
  },
  checkConsistency: {
    schema: null,
    call: (service) => service.checkConsistency(),
  },
  recover: {
    schema: "RecoverRequest",
    call: (service, request, caller) => service.recover(request, caller),
  },
  info: { schema: null, call: (service) => service.info() },
};
