/** How what is told of the service itself travels in messages of proto/fairlead/v1/ipam.proto. */
import type * as api from "../../ipam/api.ts";
import type * as proto from "../generated/fairlead/v1/ipam.ts";
import { attachmentKey } from "./attachments.ts";
import {
  flag,
  instant,
  list,
  number,
  optional,
  record,
  required,
  text,
  textMap,
  words,
  wrapped,
} from "./codec.ts";
import { optionalTexts } from "./common.ts";

const severity = words<api.Finding["severity"], proto.Severity>("severity", {
  error: "SEVERITY_ERROR",
  warning: "SEVERITY_WARNING",
});

const nodeUsage = record<api.NodeUsage, proto.NodeUsage>({
  name: text,
  networks: number,
  attachments: number,
  addresses: number,
  bootId: optional(text),
  lastAcquiredAt: required("last_acquired_at", instant),
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
  node: optional(record<api.ServiceNode, proto.ServiceNode>({ name: text, bootId: text, netns: text })),
});

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

export const nodesAnswer = wrapped("nodes", list(nodeUsage));
