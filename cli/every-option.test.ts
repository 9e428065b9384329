/** Every option that is parsed is read by its command: what nobody reads would be a wish that is dropped. */
import { mkdirSync } from "node:fs";
import { openTestService, TemporaryDirectory, type TestService } from "../test/support/ipam/ipam-fronts.ts";
import type { Io } from "./base/io.ts";
import { parseCommandLine, UsageError } from "./base/parse.ts";
import type { CommandSpec, OptionSpec } from "./base/spec.ts";
import { TREE } from "./tree.ts";

const directory = new TemporaryDirectory();
const root = directory.file("node");
mkdirSync(root, { recursive: true });
afterAll(() => directory.remove());

/** Where the node of these tests keeps things: nothing of this machine's is touched, and no service listens. */
const PLACES = {
  socket: `${root}/fairlead.sock`,
  "agent-socket": `${root}/agent.sock`,
  "state-dir": `${root}/state`,
  "cni-conf-dir": `${root}/net.d`,
  "cni-bin-dir": `${root}/bin`,
  "cni-cache-dir": `${root}/cache`,
  "run-dir": `${root}/run`,
  "containerd-socket": `${root}/containerd.sock`,
  "docker-socket": `${root}/docker.sock`,
  "podman-root": `${root}/podman`,
  "podman-run-root": `${root}/podman-run`,
};

/** Command lines that go each of a command's ways, far enough for all that matters to be read. */
const LINES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "network create": [["x"], ["--subnet", "fd00:7::/64", "--ipv4=false", "y"]],
  "network ls": [[], ["--json"]],
  "network inspect": [["bridge"]],
  "network rm": [["nosuch"]],
  "network prune": [["-f"]],
  "network connect": [
    ["web", "nosuch"],
    ["--netns", "/proc/self/ns/net", "web"],
    ["--device", "lo", "--netns", "/proc/self/ns/net"],
  ],
  "network disconnect": [
    ["web", "nosuch"],
    ["--device", "nosuch0", "--netns", "/proc/self/ns/net"],
    ["--netns", "/proc/self/ns/net", "bridge"],
  ],
  "sandbox create": [["--network", "nosuch", "sb"]],
  "sandbox ls": [[]],
  "sandbox inspect": [["nosuch"]],
  "sandbox port": [["nosuch"]],
  "sandbox exec": [["nosuch", "true"]],
  "sandbox rm": [["nosuch"]],
  "ipam status": [[]],
  "ipam networks": [[]],
  "ipam leases": [[]],
  "ipam endpoints": [[]],
  "ipam nodes": [[]],
  "ipam history": [["10.0.0.1"]],
  "ipam check": [[]],
  "ipam release": [["10.0.0.1"]],
  "ipam reserve": [["bridge", "10.0.0.1"]],
  "ipam unreserve": [["bridge", "10.0.0.1"]],
  "ipam quarantine": [["10.0.0.1"]],
  "ipam unquarantine": [["10.0.0.1"]],
  "ipam recover": [[]],
  // One that cannot be bound: the daemon ends before it begins.
  dev: [["--socket", `/${"x".repeat(200)}`]],
  server: [["--check"], ["--help-config"]],
  agent: [["--check"], ["--help-config"], ["--status"]],
  completion: [["bash"]],
  help: [[], ["--man", `${root}/man`]],
  version: [[]],
};

/**
 * Not run here: those that work for programs, and the one that takes away everything of this machine's (test/e2e runs it on a
 * machine of its own).
 */
const NOT_RUN = new Set(["reap", "__complete", "purge"]);

interface Listed {
  readonly path: string;
  readonly spec: CommandSpec;
}

async function allCommands(): Promise<Listed[]> {
  const found: Listed[] = [];
  for (const entry of TREE) {
    const spec = await entry.load();
    if (!("commands" in spec)) found.push({ path: entry.name, spec });
    else for (const one of spec.commands) found.push({ path: `${entry.name} ${one.name}`, spec: one });
  }
  return found.filter(({ path }) => !NOT_RUN.has(path));
}

/** The values, and a note of each that is asked for. */
function recording<T extends object>(values: T, reads: Set<string>): T {
  return new Proxy(values, {
    get(target, key) {
      reads.add(String(key));
      return Reflect.get(target, key) as unknown;
    },
    ownKeys() {
      throw new Error("options are read by name: what copies them all proves nothing");
    },
  });
}

let bench: TestService;
beforeAll(async () => {
  bench = await openTestService();
});
afterAll(() => bench.service.close());

const io = (): Io => ({
  out: async () => {},
  err: async () => {},
  columns: null,
  connections: {
    service: () => ({ service: bench.service, close: () => {} }),
    agent: () => ({ sync: async () => ({ revision: 1, problems: [] }) }),
  },
});

function placed(spec: CommandSpec): string[] {
  return Object.entries(PLACES).flatMap(([name, path]) => (name in spec.options ? [`--${name}`, path] : []));
}

async function readsOf(spec: CommandSpec, path: string): Promise<Set<string>> {
  const reads = new Set<string>();
  for (const line of LINES[path] ?? []) {
    const { args, options } = parseCommandLine(spec, [...placed(spec), ...line], path);
    // Failures are as good: what failed has been asked for what it needed until then.
    await spec.run({ args, options: recording(options, reads) }, io()).catch((thrown: unknown) => {
      if (thrown instanceof Error && thrown.message.startsWith("options are read by name")) throw thrown;
    });
  }
  return reads;
}

test("every option of every command is read", async () => {
  const dropped: Record<string, string[]> = {};
  for (const { path, spec } of await allCommands()) {
    const reads = await readsOf(spec, path);
    const missing = Object.keys(spec.options).filter((name) => !reads.has(name) && !spec.options[name]?.idle);
    if (missing.length > 0) dropped[path] = missing;
  }
  expect(dropped).toEqual({});
}, 60_000);

test("every command has command lines here", async () => {
  const paths = (await allCommands()).map(({ path }) => path);
  expect(Object.keys(LINES).sort()).toEqual(paths.sort());
});

const VALUES: Readonly<Record<OptionSpec["kind"], readonly string[]>> = {
  switch: ["", "=false"],
  text: ["=x"],
  integer: ["=1"],
  list: ["=x=y"],
  map: ["=k=v"],
};

test("every option that is described is parsed into a value of its own kind", async () => {
  for (const { spec } of await allCommands()) {
    for (const [name, option] of Object.entries(spec.options)) {
      for (const value of VALUES[option.kind]) {
        const absent = parseValue(spec, name, []);
        const given = parseValue(spec, name, [`--${name}${value}`]);
        const isDefault = value === "=false" ? absent === false : value === "" && absent === true;
        if (!isDefault) expect([spec.name, name, given]).not.toEqual([spec.name, name, absent]);
      }
    }
  }
});

/** As many arguments as the command wants; a value that has rules of its own is taken as it would be if it kept them. */
function parseValue(spec: CommandSpec, name: string, argv: readonly string[]): unknown {
  const { check: _, ...option } = spec.options[name] as OptionSpec & { check?: unknown };
  const { choices: __, ...free } = option as typeof option & { choices?: unknown };
  const { argumentCount: ___, ...rest } = spec;
  const open = { ...rest, arguments: [{ name: "ANY", optional: true, several: true }], passThrough: false };
  try {
    return parseCommandLine({ ...open, options: { [name]: free as OptionSpec } }, argv, spec.name).options[
      name
    ];
  } catch (thrown) {
    if (thrown instanceof UsageError) throw new Error(`${spec.name} ${argv.join(" ")}: ${thrown.message}`);
    throw thrown;
  }
}
