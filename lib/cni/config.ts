/**
 * The request configuration: what every plugin reads from stdin before it reads its own keys.
 *
 * Source: CNI SPEC 1.1.0, "Deriving request configuration from plugin configuration".
 */
import { FairleadError } from "../errors.ts";
import { isIdentifier } from "./environment.ts";
import { fieldValue, NETWORK_CONFIGURATION, readFields, text } from "./fields.ts";
import { decodeJson, describeJson, faultOf, isObject, type JsonObject, requireObject } from "./json.ts";
import { parseResult, type Result } from "./result.ts";
import { type CniVersion, isCniVersion, requireVersion } from "./versions.ts";

/** The parts that every plugin's configuration has, and the whole for the plugin to read its own keys from. */
export interface RequestConfig {
  readonly cniVersion: CniVersion;
  /** Name of the network. */
  readonly networkName: string;
  /** Name of the plugin; empty when the runtime did not say. */
  readonly type: string;
  /** The whole configuration, decoded. Read keys through lib/cni/fields.ts. */
  readonly raw: JsonObject;
  /** Stdin as it came: delegates get exactly these bytes. */
  readonly stdin: Uint8Array;
}

const COMMON_FIELDS = { cniVersion: text(), name: text(), type: text() };

/**
 * Decodes stdin into an object.
 *
 * @throws FairleadError `decode-failure`; `invalid-config` when it is too large or nests too deep.
 */
export function decodeConfig(stdin: Uint8Array): JsonObject {
  return requireObject(decodeJson(stdin, NETWORK_CONFIGURATION), NETWORK_CONFIGURATION);
}

/**
 * Reads the common keys.
 *
 * @param supported versions that the plugin answers in.
 * @throws FairleadError `invalid-config` for the name and type, then `incompatible-cni-version`
 */
export function readRequestConfig(
  raw: JsonObject,
  stdin: Uint8Array,
  supported: readonly CniVersion[],
): RequestConfig {
  const { cniVersion, name, type } = readFields(COMMON_FIELDS, raw);
  checkNetworkName(name);
  checkPluginType("type", type);
  return { cniVersion: requireVersion(cniVersion, supported), networkName: name, type, raw, stdin };
}

/** A mistake in the network configuration, and what to do about it. `object`: the key. */
export function configurationError(object: string, reason: string, hint: string): FairleadError {
  const { operation, fault } = NETWORK_CONFIGURATION;
  return new FairleadError({ code: fault, operation, object, reason, hint });
}

/** The version that a configuration names, as far as one can tell; never throws. */
export function namedVersion(raw: JsonObject): string {
  const version = fieldValue(raw, "cniVersion");
  return typeof version === "string" ? version : "";
}

function checkNetworkName(name: string): void {
  if (isIdentifier(name)) return;
  const reason =
    name === ""
      ? "missing network name"
      : `invalid characters in network name: it is ${describeJson(name)}; it must start with a letter or digit and go on with those, _ . or -`;
  throw faultOf(NETWORK_CONFIGURATION, "name", reason);
}

/**
 * Refuses a plugin type that is a path: it names a file in one of the directories of `CNI_PATH`.
 *
 * @param key where the type stands, for the message: "type", "ipam.type". Empty types pass.
 * @throws FairleadError `invalid-config`
 */
export function checkPluginType(key: string, type: string): void {
  if (!/[/\0]/.test(type) && type !== "." && type !== "..") return;
  throw faultOf(
    NETWORK_CONFIGURATION,
    key,
    `it is ${describeJson(type)}, expected the name of a plugin without any path`,
  );
}

/**
 * Reads `prevResult`. One without a version is taken to be in the configuration's version.
 *
 * @returns null when there is none.
 * @throws FairleadError `invalid-config`
 */
export function readPrevResult({ raw, cniVersion }: RequestConfig): Result | null {
  const value = fieldValue(raw, "prevResult");
  if (value === undefined) return null;
  const reading = { operation: "read prevResult", fault: "invalid-config" } as const;
  if (!isObject(value)) throw faultOf(reading, "", `it is ${describeJson(value)}, expected an object`);
  const own = namedVersion(value);
  if (own !== "" && own !== cniVersion) {
    throw faultOf(reading, "cniVersion", `it is "${own}", but that of the configuration is "${cniVersion}"`);
  }
  return parseResult(value, cniVersion, reading);
}

/**
 * Reads a result that a delegate printed. It may be in another version than the configuration's.
 *
 * @throws FairleadError `decode-failure`
 */
export function readDelegateResult(stdout: Uint8Array, type: string, cniVersion: CniVersion): Result {
  const reading = { operation: `read result of delegate ${type}`, fault: "decode-failure" } as const;
  const raw = requireObject(decodeJson(stdout, reading), reading);
  const own = namedVersion(raw);
  if (own !== "" && !isCniVersion(own)) {
    throw new FairleadError({
      code: reading.fault,
      operation: reading.operation,
      object: "cniVersion",
      reason: `it is "${own}", which is not a version that we know`,
      hint: `let the plugin answer in version ${cniVersion}, as the configuration says`,
    });
  }
  return parseResult(raw, own === "" ? cniVersion : own, reading);
}
