/** How networks travel in messages of proto/fairlead/v1/ipam.proto. */
import type * as api from "../../ipam/api.ts";
import type * as proto from "../generated/fairlead/v1/ipam.ts";
import { networkDeclaration } from "./attachments.ts";
import {
  absentIfEmpty,
  type Codec,
  flag,
  instant,
  list,
  nullable,
  number,
  optional,
  record,
  required,
  text,
  textMap,
  words,
  wrapped,
} from "./codec.ts";
import { optionalTextMap, optionalTexts, texts } from "./common.ts";

const family = words<4 | 6, proto.Family>("family", { 4: "FAMILY_IPV4", 6: "FAMILY_IPV6" });

const origin = words<api.Network["origin"], proto.NetworkOrigin>("origin", {
  api: "NETWORK_ORIGIN_API",
  conflist: "NETWORK_ORIGIN_CONFLIST",
  predefined: "NETWORK_ORIGIN_PREDEFINED",
});

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
  ipv4: optional(flag),
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

const network = record<api.Network, proto.Network>({
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

export const networkRef = record<api.NetworkRef, proto.GetNetworkRequest>({ name: text });

export const networkAnswer = wrapped("network", required("network", network));

export const networksAnswer = wrapped("networks", list(network));
