/**
 * The CNI configuration directory: which networks there are.
 *
 * Files count in lexical order, `.conflist` before the single configurations of `.conf` and `.json`; of two networks of
 * one name the first counts. A conflist that does not say `loadOnlyInlinedPlugins` gets the plugins of
 * `<directory>/<network>/*.conf` behind its own.
 *
 * Source: CNI SPEC 1.1.0, "Network configuration format"; libcni 1.3, `LoadNetworkConf`.
 */
import { asFairleadError, FairleadError } from "../errors.ts";
import { listDirectory, readFileIfExists } from "../linux/files/files.ts";
import { type Conflist, conflistOfPlugin, decodeObject, readConflist, readPlugin } from "./conflist.ts";

/** Longest conflist that is read. */
const MAX_CONFLIST_BYTES = 1024 * 1024;

export interface LoadedConflist {
  readonly conflist: Conflist;
  readonly file: string;
}

export interface ConflistDirectory {
  readonly networks: readonly LoadedConflist[];
  /** Files that could not be read; they hide no other. */
  readonly faults: readonly FairleadError[];
}

/** Reads every network of the directory. A directory that does not exist holds none. */
export function loadConflists(directory: string): ConflistDirectory {
  const networks = new Map<string, LoadedConflist>();
  const faults: FairleadError[] = [];
  for (const loaded of readInOrder(directory, faults))
    if (!networks.has(loaded.conflist.name)) networks.set(loaded.conflist.name, loaded);
  return { networks: [...networks.values()], faults };
}

/** Reads file after file as they are asked for; those that cannot be read become faults. */
function* readInOrder(directory: string, faults: FairleadError[]): Generator<LoadedConflist> {
  for (const name of configurationFiles(directory)) {
    try {
      const conflist = loadFile(directory, name);
      if (conflist !== null) yield { conflist, file: `${directory}/${name}` };
    } catch (thrown) {
      faults.push(asFairleadError(thrown, "read conflist", name));
    }
  }
}

function configurationFiles(directory: string): string[] {
  const names = listDirectory(directory).sort();
  return [
    ...names.filter((name) => name.endsWith(".conflist")),
    ...names.filter((name) => name.endsWith(".conf") || name.endsWith(".json")),
  ];
}

/** Null for a file that went away meanwhile, and for one that holds no plugin at all. */
function loadFile(directory: string, name: string): Conflist | null {
  const bytes = readFileIfExists(`${directory}/${name}`, { maxBytes: MAX_CONFLIST_BYTES });
  if (bytes === null) return null;
  const raw = decodeObject(bytes, name);
  if (!name.endsWith(".conflist")) return conflistOfPlugin(raw, name);
  const conflist = readConflist(raw, name);
  const whole = conflist.loadOnlyInlinedPlugins ? conflist : withPluginFiles(conflist, directory);
  if (whole.plugins.length > 0) return whole;
  throw new FairleadError({
    code: "invalid-config",
    operation: "read conflist",
    object: name,
    reason: "it lists no plugin",
  });
}

function withPluginFiles(conflist: Conflist, directory: string): Conflist {
  const folder = `${directory}/${conflist.name}`;
  const names = listDirectory(folder)
    .filter((name) => name.endsWith(".conf"))
    .sort();
  if (names.length === 0) return conflist;
  const added = names.flatMap((name) => {
    const bytes = readFileIfExists(`${folder}/${name}`, { maxBytes: MAX_CONFLIST_BYTES });
    return bytes === null ? [] : [readPlugin(decodeObject(bytes, name), name)];
  });
  const plugins = [...conflist.plugins, ...added];
  // What is cached must be whole by itself: nobody looks into the folder again at DEL.
  const raw = { ...conflist.raw, plugins: plugins.map((plugin) => plugin.raw), loadOnlyInlinedPlugins: true };
  return { ...conflist, plugins, raw };
}

/**
 * The network of that name.
 *
 * @throws FairleadError `not-found`, naming the files that could not be read.
 */
export function findConflist(directory: string, networkName: string): LoadedConflist {
  const faults: FairleadError[] = [];
  for (const loaded of readInOrder(directory, faults))
    if (loaded.conflist.name === networkName) return loaded;
  const broken = faults.map((fault) => fault.message).join("; ");
  throw new FairleadError({
    code: "not-found",
    operation: "find conflist of network",
    object: networkName,
    reason: `there is none in ${directory}${broken && `, and some files there cannot be read: ${broken}`}`,
    hint: "the node's agent writes it: check that it runs (fairlead agent, or fairlead dev)",
  });
}
