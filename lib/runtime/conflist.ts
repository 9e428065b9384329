/**
 * A conflist as the runtime's side reads it: which plugins, in which order, in which version.
 *
 * What a plugin itself reads is handed on as it stands; here only the keys that are the runtime's own are looked at.
 *
 * Source: CNI SPEC 1.1.0, "Network configuration format"; behaviour of libcni 1.3 where the text leaves it open.
 */
import { checkPluginType } from "../cni/config.ts";
import { isIdentifier } from "../cni/environment.ts";
import { anything, type Field, flag, list, map, readFields, text } from "../cni/fields.ts";
import { decodeJson, describeJson, faultOf, isObject, type Json, type JsonObject } from "../cni/json.ts";
import { CNI_VERSIONS, type CniVersion, isCniVersion, UNNAMED_CNI_VERSION } from "../cni/versions.ts";
import { FairleadError } from "../errors.ts";

/** One element of `plugins`. */
export interface PluginConfig {
  readonly type: string;
  /** Names of the capabilities that are switched on. */
  readonly capabilities: readonly string[];
  /** The element, whole. */
  readonly raw: JsonObject;
}

export interface Conflist {
  /** Name of the network. */
  readonly name: string;
  /** The version in which the plugins are asked: the newest of those that the file offers and that we know. */
  readonly cniVersion: CniVersion;
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  /** True: plugins from files beside the conflist are not wanted. */
  readonly loadOnlyInlinedPlugins: boolean;
  readonly plugins: readonly PluginConfig[];
  /** The whole list, as it is cached for DEL. */
  readonly raw: JsonObject;
}

const READING = { operation: "read conflist", fault: "invalid-config" } as const;

/** libcni takes these two also as text. */
const flagOrText: Field<boolean> = {
  expected: "true or false",
  absent: false,
  read: (value) =>
    typeof value === "boolean" ? value : value === "true" ? true : value === "false" ? false : undefined,
};

const LIST_FIELDS = {
  cniVersion: text(),
  cniVersions: list(text()),
  name: text(),
  disableCheck: flagOrText,
  disableGC: flagOrText,
  loadOnlyInlinedPlugins: flag(),
  plugins: list(anything),
};

const PLUGIN_FIELDS = { type: text(), capabilities: map(flag()) };

/**
 * Reads a conflist. `where` names it in messages.
 *
 * @throws FairleadError `decode-failure`, `invalid-config`, `incompatible-cni-version`
 */
export function parseConflist(bytes: Uint8Array, where: string): Conflist {
  return readConflist(decodeObject(bytes, where), where);
}

/** JSON text of one object. @throws FairleadError `decode-failure` */
export function decodeObject(bytes: Uint8Array, where: string): JsonObject {
  const value = decodeJson(bytes, { ...READING, operation: `${READING.operation} ${where}` });
  if (isObject(value)) return value;
  throw faultOf(
    { ...READING, fault: "decode-failure" },
    where,
    `it is ${describeJson(value)}, not an object`,
  );
}

/** The same from JSON that is decoded already. An empty list of plugins passes: files may add some. */
export function readConflist(raw: JsonObject, where: string): Conflist {
  const at = { path: "", reading: { ...READING, operation: `${READING.operation} ${where}` } };
  const read = readFields(LIST_FIELDS, raw, at);
  if (!isIdentifier(read.name)) throw faultOf(READING, where, nameProblem(read.name));
  return {
    name: read.name,
    cniVersion: negotiateVersion([read.cniVersion, ...read.cniVersions], where),
    disableCheck: read.disableCheck,
    disableGc: read.disableGC,
    loadOnlyInlinedPlugins: read.loadOnlyInlinedPlugins,
    plugins: read.plugins.map((plugin, index) => readPlugin(plugin, `${where}: plugins[${index}]`)),
    raw,
  };
}

function nameProblem(name: string): string {
  return name === ""
    ? "it has no name"
    : `its name ${describeJson(name)} does not start with a letter or digit and go on with those, _ . or -`;
}

/** Reads one plugin configuration. @throws FairleadError `invalid-config` */
export function readPlugin(raw: Json, where: string): PluginConfig {
  if (!isObject(raw)) throw faultOf(READING, where, `it is ${describeJson(raw)}, not an object`);
  const { type, capabilities } = readFields(PLUGIN_FIELDS, raw, { path: "", reading: READING });
  if (type === "") throw faultOf(READING, where, 'it has no "type"');
  checkPluginType("type", type);
  const enabled = Object.keys(capabilities).filter((name) => capabilities[name] === true);
  return { type, capabilities: enabled, raw };
}

/** A file with a single plugin configuration (`.conf`, gone since 1.0.0) as the list of that one. */
export function conflistOfPlugin(raw: JsonObject, where: string): Conflist {
  const { name, cniVersion } = readFields({ name: text(), cniVersion: text() }, raw);
  return readConflist({ name, cniVersion, plugins: [raw] }, where);
}

/**
 * The newest version that is offered and known to us. A newer one than we know is passed over, as long as another is
 * offered beside it.
 *
 * @throws FairleadError `incompatible-cni-version`
 */
function negotiateVersion(offered: readonly string[], where: string): CniVersion {
  const named = offered.filter((version) => version !== "");
  if (named.length === 0) return UNNAMED_CNI_VERSION;
  const known = named.filter(isCniVersion);
  const newest = CNI_VERSIONS.findLast((version) => known.includes(version));
  if (newest !== undefined) return newest;
  throw new FairleadError({
    code: "incompatible-cni-version",
    operation: READING.operation,
    object: where,
    reason: `it offers ${named.join(", ")}, and we speak ${CNI_VERSIONS.join(", ")}`,
    hint: 'add "cniVersions": ["1.0.0"]',
  });
}

/**
 * The same network with metadata for one attachment: `args.cni` of every plugin gets the members of `args`, which win
 * over what is written there.
 */
export function withArgs(conflist: Conflist, args: JsonObject): Conflist {
  if (Object.keys(args).length === 0) return conflist;
  const plugins = conflist.plugins.map((plugin) => ({ ...plugin, raw: addArgs(plugin.raw, args) }));
  return { ...conflist, plugins, raw: { ...conflist.raw, plugins: plugins.map(({ raw }) => raw) } };
}

function addArgs(raw: JsonObject, added: JsonObject): JsonObject {
  const args = isObject(raw["args"]) ? raw["args"] : {};
  const cni = isObject(args["cni"]) ? args["cni"] : {};
  return { ...raw, args: { ...args, cni: { ...cni, ...added } } };
}
