/**
 * Keeps the layers of ARCHITECTURE.md: who may import whom, the one door to the kernel, no cycles of files, no circles of
 * folders.
 *
 * Reads the import and export statements of every TypeScript file as text (imports here are always static
 * strings; the build rejects any other) and prints one line per broken rule. Exit status 1 if there is any.
 *
 * Usage: node tools/lint-layers.ts [ROOT]
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

interface Layer {
  readonly folder: string;
  /** Folders it may import values from, beside itself. `lib/*.ts` (layer 0 files) and `lib/addr` always. */
  readonly may: readonly string[];
  /** Folders within others' that it may import values from: not all of what holds them. */
  readonly mayRooms?: readonly string[];
  /** Folders it may import types from. */
  readonly mayTypes?: readonly string[];
  /** True: no npm package and no `node:` module, statically; such code is on the path of a plugin's start. */
  readonly bare?: boolean;
}

/** What speaks to the kernel. */
const KERNEL = ["lib/netlink", "lib/linux", "lib/host"];

/** What speaks to the IPAM service. */
const SERVICE = ["lib/ipam", "lib/rpc"];

/** The server without its start: an agent may answer, and keep, what the server would. */
const SERVER_ROOMS = ["fronts", "state", "operations", "store"].map((room) => `ipam-server/${room}`);

const LAYERS: readonly Layer[] = [
  { folder: "lib/addr", may: [], bare: true },
  { folder: "lib/netlink", may: [], bare: true },
  { folder: "lib/dns", may: [], bare: true },
  { folder: "lib/frames", may: ["lib/netlink"], bare: true },
  { folder: "lib/cni", may: [], bare: true },
  { folder: "lib/ipam", may: [], bare: true },
  { folder: "lib/linux", may: [], mayTypes: ["lib/netlink"], bare: true },
  { folder: "lib/rpc", may: ["lib/ipam"] },
  { folder: "lib/host", may: ["lib/netlink", "lib/linux", "lib/frames"], bare: true },
  { folder: "lib/resident", may: ["lib/linux"], bare: true },
  { folder: "lib/runtime", may: ["lib/cni", "lib/linux", "lib/resident"], bare: true },
  { folder: "lib/daemon", may: [] },
  { folder: "plugins", may: [...KERNEL, "lib/cni", "lib/ipam", "lib/resident"], bare: true },
  { folder: "ipam-server", may: ["lib/ipam", "lib/rpc", "lib/daemon"] },
  {
    folder: "agent",
    may: [...KERNEL, ...SERVICE, "lib/cni", "lib/dns", "lib/runtime", "lib/resident", "lib/daemon"],
    mayRooms: SERVER_ROOMS,
  },
  { folder: "cli", may: [...KERNEL, ...SERVICE, "lib/cni", "lib/runtime", "lib/resident", "lib/daemon"] },
];

/** Single imports that a rule above would refuse, each with its reason. */
const ALLOWED = new Map<string, string>([
  ["cli -> ipam-server/main.ts", "`fairlead server` and `fairlead dev` start the server, loaded lazily"],
  ["cli -> agent/main.ts", "`fairlead agent` and `fairlead dev` start the agent, loaded lazily"],
]);

/** The list of all plugins, which no plugin imports. */
const PLUGIN_LIST = "plugins/run/all.ts";

/** The only files that may load a foreign-function interface. */
const FFI_FILES = new Set([
  "lib/linux/calls/ffi.ts",
  "lib/linux/calls/ffi-bun.ts",
  "lib/linux/calls/ffi-node.ts",
]);

/** Modules of `lib/linux` that may load a `node:` module, lazily and off the hot path. */
const LAZY_NODE = new Set(["lib/linux/processes/exec.ts", "lib/linux/calls/ffi-node.ts"]);

const STATEMENT =
  /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

function sourceFiles(root: string): string[] {
  const folders = ["lib", "plugins", "ipam-server", "agent", "cli"];
  return folders.flatMap((folder) => {
    try {
      const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
      return names.filter((n) => n.endsWith(".ts") && !n.endsWith(".test.ts")).map((n) => join(folder, n));
    } catch {
      return [];
    }
  });
}

function importsOf(root: string, file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(STATEMENT)].map((match) => {
    const specifier = match[2] ?? match[3] ?? "";
    const to = specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : specifier;
    return { from: file, to, typeOnly: match[1] !== undefined };
  });
}

function layerOf(file: string): Layer | undefined {
  return LAYERS.filter((l) => file.startsWith(`${l.folder}/`)).sort(
    (a, b) => b.folder.length - a.folder.length,
  )[0];
}

/** The plugin that a file belongs to (`plugins/main/bridge`), or null for files shared by all plugins. */
function pluginOf(file: string): string | null {
  return /^plugins\/[^/]+\/[^/]+(?=\/)/.exec(file)?.[0] ?? null;
}

function checkOwn({ from, to, typeOnly }: Import, layer: Layer): string | null {
  if (!to.endsWith(".ts")) return to.endsWith(".json") ? null : `import of ${to} without its .ts ending`;
  const target = layerOf(to);
  if (to === PLUGIN_LIST) return "only main.ts imports the list of all plugins";
  if (to.startsWith("test/")) return "production code imports test code";
  if (!target || target.folder === layer.folder) {
    const [mine, theirs] = [pluginOf(from), pluginOf(to)];
    return theirs && mine !== theirs && from !== PLUGIN_LIST ? `plugin imports another plugin's ${to}` : null;
  }
  if (target.folder === "lib/addr" || layer.may.includes(target.folder)) return null;
  if (layer.mayRooms?.some((room) => to.startsWith(`${room}/`))) return null;
  if (typeOnly && layer.mayTypes?.includes(target.folder)) return null;
  return ALLOWED.has(`${layer.folder} -> ${to}`) ? null : `layer ${layer.folder} may not import ${to}`;
}

function checkForeign({ from, to, typeOnly }: Import, layer: Layer): string | null {
  if (to === "bun:ffi" || to === "node:ffi") {
    return FFI_FILES.has(from) ? null : `${to}: only lib/linux/calls/ffi*.ts may open the door to the kernel`;
  }
  if (typeOnly || !layer.bare || LAZY_NODE.has(from)) return null;
  return `${to}: code that a plugin loads at start imports no package and no built-in module`;
}

function check(one: Import): string | null {
  const layer = layerOf(one.from);
  const own = one.to.includes("/") && /^(lib|plugins|ipam-server|agent|cli|test|conf)\//.test(one.to);
  if (!layer) return own && layerOf(one.to) ? `layer 0 imports ${one.to}` : null;
  return own ? checkOwn(one, layer) : checkForeign(one, layer);
}

/** Every import cycle that a depth-first walk meets, as `a -> b -> a`. Types count: a cycle of types is one too. */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      return;
    }
    state.set(file, "open");
    for (const next of edges.get(file) ?? []) walk(next, [...path, file]);
    state.set(file, "done");
  };
  for (const file of edges.keys()) walk(file, []);
  return cycles;
}

/**
 * Folders that import each other, as `a -> b -> a`: none can then be understood, or tried, without the others. A folder and
 * one inside of it are two, and either may import the other.
 */
function findCircles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const folders = new Map<string, Set<string>>();
  for (const [file, imports] of edges) {
    const folder = dirname(file);
    const others = imports.filter((to) => edges.has(to)).map((to) => dirname(to));
    folders.set(folder, new Set([...(folders.get(folder) ?? []), ...others]));
    folders.get(folder)?.delete(folder);
  }
  return findCycles(new Map([...folders].map(([folder, others]) => [folder, [...others]])));
}

export function lintLayers(root: string): string[] {
  const files = sourceFiles(root);
  const imports = files.flatMap((file) => importsOf(root, file));
  const problems = imports.flatMap((one) => {
    const problem = check(one);
    return problem ? [`${one.from}: ${problem}`] : [];
  });
  const edges = new Map(files.map((f) => [f, imports.filter((i) => i.from === f).map((i) => i.to)]));
  return [
    ...problems,
    ...findCycles(edges).map((cycle) => `import cycle: ${cycle}`),
    ...findCircles(edges).map((circle) => `circle of folders: ${circle}`),
  ];
}

if (process.argv[1]?.endsWith("lint-layers.ts")) {
  const root = process.argv[2] ?? ".";
  const problems = lintLayers(root);
  for (const problem of problems) console.error(problem);
  console.log(`layers: ${sourceFiles(root).length} files, ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
