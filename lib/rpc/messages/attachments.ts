/** How what acquires, verifies and releases travels in messages of proto/fairlead/v1/ipam.proto. */
import type * as api from "../../ipam/api.ts";
import type * as proto from "../generated/fairlead/v1/ipam.ts";
import {
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
  wrapped,
} from "./codec.ts";
import { optionalTexts, texts } from "./common.ts";

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

export const networkDeclaration = record<api.NetworkDeclaration, proto.NetworkDeclaration>({
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
