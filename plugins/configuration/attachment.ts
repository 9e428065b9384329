/**
 * What a configuration says besides the keys of the plugin's own kind: about addresses, names and who asked for what. Here, and beside
 * it where a plugin reads its own keys, is all reading of an ADD; the rest goes by what was read.
 *
 * DEL and GC read less, past what is wrong: `addresses/ipam-removal.ts` and the `readRemovalKeys` of the plugins.
 *
 * Source: CNI CONVENTIONS.md, "Dynamic Plugin specific Fields" and "args in network config"; README of the reference plugin bridge.
 */
import type { RequestConfig } from "../../lib/cni/config.ts";
import { type Field, type Read, readFields } from "../../lib/cni/fields.ts";
import { isObject } from "../../lib/cni/json.ts";
import { dnsField, hasDns, type ResultDns } from "../../lib/cni/result.ts";
import { ARGS, GATEWAY_PRIORITY, INTERFACE_RUNTIME_CONFIG, IPAM_SECTION } from "../../lib/cni/sections.ts";
import { type Declared, declaredBy } from "./declared-gateways.ts";

/** Where the reading begins. */
export type Configuration = Pick<RequestConfig, "raw" | "networkName">;

const DNS_LISTS: readonly string[] = ["nameservers", "search", "options"];

/**
 * The configuration's own `dns`; null when it says nothing. A list says something even when it is empty: that there are none.
 * Source: `dnsConfSet` of the reference plugin bridge.
 */
const OWN_DNS: Field<ResultDns | null> = {
  expected: dnsField.expected,
  absent: null,
  read: (value, at) => {
    const dns = dnsField.read(value, at);
    if (dns === undefined || !isObject(value)) return undefined;
    const hasList = Object.entries(value).some(
      ([key, member]) => Array.isArray(member) && DNS_LISTS.includes(key.toLowerCase()),
    );
    return hasList || hasDns(dns) ? dns : null;
  },
};

const ADDRESS_FIELDS = { ipam: IPAM_SECTION, runtimeConfig: INTERFACE_RUNTIME_CONFIG, args: ARGS };

const ATTACHMENT_FIELDS = { ...ADDRESS_FIELDS, dns: OWN_DNS, gatewayPriority: GATEWAY_PRIORITY };

/** What concerns addresses. */
export interface AddressConfig extends Read<typeof ADDRESS_FIELDS> {
  readonly networkName: string;
  /** The whole, for a look at this machine that is seldom taken. */
  readonly configuration: Configuration;
}

/** What concerns the attachment to a network, whatever the interface is. */
export interface AttachmentConfig extends AddressConfig, Declared, Read<typeof ATTACHMENT_FIELDS> {}

/** @throws FairleadError invalid-config, naming the key. */
export function readAddressConfig(configuration: Configuration): AddressConfig {
  return addressConfigOf(readFields(ADDRESS_FIELDS, configuration.raw), configuration);
}

/** @throws FairleadError invalid-config, naming the key. */
export function readAttachmentConfig(configuration: Configuration): AttachmentConfig {
  const { raw } = configuration;
  const read = readFields(ATTACHMENT_FIELDS, raw);
  const { dns, gatewayPriority } = read;
  return {
    ...addressConfigOf(read, configuration),
    dns,
    gatewayPriority,
    ...declaredBy(raw),
  };
}

function addressConfigOf(
  { ipam, runtimeConfig, args }: Read<typeof ADDRESS_FIELDS>,
  configuration: Configuration,
): AddressConfig {
  return { ipam, runtimeConfig, args, networkName: configuration.networkName, configuration };
}
