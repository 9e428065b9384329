/**
 * How request and answer of each operation travel over gRPC. The compiler compares every codec with the operation's types and with the
 * messages of its method in proto/fairlead/v1/ipam.proto.
 */
import type { MethodDefinition } from "@grpc/grpc-js";
import { type AnswerOf, OPERATIONS, type OperationName, type RequestOf } from "../ipam/operations.ts";
import { IpamServiceService } from "./generated/fairlead/v1/ipam.ts";
import * as addresses from "./messages/addresses.ts";
import * as attachments from "./messages/attachments.ts";
import type { Codec } from "./messages/codec.ts";
import * as common from "./messages/common.ts";
import * as history from "./messages/history.ts";
import * as networks from "./messages/networks.ts";
import * as service from "./messages/service.ts";

type Rpc<N extends OperationName> = (typeof IpamServiceService)[(typeof OPERATIONS)[N]["rpc"]];

interface OperationCodecs<N extends OperationName> {
  readonly request: Codec<RequestOf<N>, Parameters<Rpc<N>["requestSerialize"]>[0]>;
  readonly answer: Codec<AnswerOf<N>, Parameters<Rpc<N>["responseSerialize"]>[0]>;
}

const CODECS: { readonly [N in OperationName]: OperationCodecs<N> } = {
  acquire: { request: attachments.acquireRequest, answer: attachments.acquireResponse },
  release: { request: attachments.releaseRequest, answer: attachments.releaseResponse },
  verify: { request: attachments.verifyRequest, answer: common.nothing },
  gc: { request: attachments.gcRequest, answer: attachments.gcResponse },
  networkStatus: { request: networks.networkStatusRequest, answer: networks.networkStatus },
  createNetwork: { request: networks.createNetworkRequest, answer: networks.networkAnswer },
  listNetworks: { request: common.emptyRequest, answer: networks.networksAnswer },
  getNetwork: { request: networks.networkRef, answer: networks.networkAnswer },
  removeNetwork: { request: networks.networkRef, answer: common.nothing },
  listLeases: { request: addresses.leaseFilter, answer: addresses.leasesAnswer },
  listEndpoints: { request: addresses.endpointFilter, answer: addresses.endpointsAnswer },
  reserve: { request: addresses.reservationRequest, answer: addresses.leaseAnswer },
  unreserve: { request: addresses.reservationRef, answer: common.nothing },
  quarantine: { request: addresses.quarantineRequest, answer: common.nothing },
  unquarantine: { request: addresses.quarantineRef, answer: common.nothing },
  listEvents: { request: history.eventFilter, answer: history.eventsAnswer },
  whoHad: { request: history.tenancyFilter, answer: history.tenanciesAnswer },
  listNodes: { request: common.emptyRequest, answer: service.nodesAnswer },
  checkConsistency: { request: common.emptyRequest, answer: service.consistencyReport },
  recover: { request: service.recoverRequest, answer: service.recoverAnswer },
  info: { request: common.emptyRequest, answer: service.serviceInfo },
};

/** An operation as gRPC has it: its method, and its values to messages and back. */
export interface GrpcMethod {
  readonly definition: MethodDefinition<object, object>;
  readonly request: Codec<object, object>;
  readonly answer: Codec<unknown, object>;
}

export function grpcMethodOf(name: OperationName): GrpcMethod {
  const { request, answer } = CODECS[name];
  const definition: unknown = IpamServiceService[OPERATIONS[name].rpc];
  // Checked one by one in the table; here they are all alike.
  return { definition, request, answer } as GrpcMethod;
}
