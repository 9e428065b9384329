/**
 * Fairlead runs as root in a directory and an environment that others choose. Neither may change what an executable
 * does: for each of its names, every call answers byte for byte as in an empty directory with a clean environment,
 * opens no file of the hostile directory and executes no code from there.
 *
 * LD_* is left out: the dynamic linker obeys it, as for any program. BUN_JSC_*, whose names the runtime puts together and which
 * cannot be blanked, are taken away by the front under a plugin's name; under that of the command line they are its caller's own.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Lab } from "../support/lab/lab.ts";
import { FAIRLEAD_DIRECTORY, FAIRLEAD_EXECUTABLES, requireFairlead } from "../support/lab/lab-plugins.ts";
import { type CommandOutcome, requireTools, tryCommand } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

type Environment = Readonly<Record<string, string>>;

interface Call {
  readonly title: string;
  readonly args: readonly string[];
  readonly input: string;
  readonly env: Environment;
}

let lab: Lab;
/** The working directory, the HOME and the target of every hostile variable. */
let hostile: string;
let clean: string;
/** Made by every piece of hostile code that gets to run. */
let marker: string;

beforeAll(async () => {
  requireFairlead();
  requireTools("strace");
  lab = await Lab.open("hostile");
  hostile = lab.folder("hostile");
  clean = lab.folder("clean");
  marker = join(lab.directory, "marker");
  for (const [name, content] of Object.entries(hostileFiles())) writeHostile(name, content);
});

afterAll(() => lab.close());

function writeHostile(name: string, content: string): void {
  const file = join(hostile, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** What a directory can hold that some JavaScript runtime reads by itself. */
function hostileFiles(): Record<string, string> {
  const code = `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "ran"); console.log("hostile code ran");`;
  const dotenv = "CNI_COMMAND=VERSION\nBUN_OPTIONS=--preload=./x.js\nNO_COLOR=0\nFORCE_COLOR=1\n";
  const bunfig = 'preload = ["./x.js"]\nlogLevel = "debug"\n';
  const pkg = { name: "hostile", type: "commonjs", main: "./x.js", imports: { "#*": "./x.js" } };
  return {
    "x.js": code,
    "x.ts": code,
    "index.js": code,
    "main.ts": code,
    "node_modules/fastify/index.js": code,
    ".env": dotenv,
    ".env.local": dotenv,
    ".env.production": dotenv,
    "bunfig.toml": bunfig,
    ".bunfig.toml": bunfig,
    "package.json": JSON.stringify(pkg),
    "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "*": ["./x.ts"] }, baseUrl: "." } }),
  };
}

/** Every variable that is known to steer Bun or Node, one case each; functions, since the folder is made late. */
const HOSTILE_VARIABLES: Readonly<Record<string, () => Environment>> = {
  "the directory alone": () => ({}),
  BUN_OPTIONS: () => ({ BUN_OPTIONS: "--preload=./x.ts" }),
  BUN_BE_BUN: () => ({ BUN_BE_BUN: "1" }),
  NODE_OPTIONS: () => ({ NODE_OPTIONS: "--require ./x.js" }),
  "BUN_INSPECT*": () => ({
    BUN_INSPECT: "unix:./inspect",
    BUN_INSPECT_PRELOAD: "./x.ts",
    BUN_INSPECT_CONNECT_TO: "./inspect",
    BUN_INSPECT_NOTIFY: "unix:./inspect",
  }),
  "files that are written": () => ({
    BUN_BYTECODE_ORDER_OUT: "./order",
    BUN_BYTECODE_ORDER_NAMES_OUT: "./names",
    BUN_BYTECODE_DIGEST_OUT: "./digest",
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "./cache",
    BUN_TRACE: "./trace",
    BUN_WATCHER_TRACE: "./watch",
    NODE_COMPILE_CACHE: "./compile",
    NODE_REDIRECT_WARNINGS: "./warnings",
    NODE_V8_COVERAGE: "./coverage",
  }),
  "look-up paths": () => ({
    NODE_PATH: hostile,
    HOME: hostile,
    XDG_CONFIG_HOME: hostile,
    BUN_INSTALL: hostile,
    BUN_INSTALL_BIN: hostile,
    PWD: hostile,
  }),
  "all at once": () =>
    Object.assign(
      {},
      ...Object.entries(HOSTILE_VARIABLES).map(([name, of]) => (name === "all at once" ? {} : of())),
    ),
};

/** What steers the JavaScript engine: without its JIT no plugin calls the kernel, and a name that it does not know ends it. */
const ENGINE_VARIABLES: Environment = {
  BUN_JSC_useJIT: "0",
  BUN_JSC_dumpOptions: "1",
  BUN_JSC_noSuchOption: "1",
};

function hostileVariables(executable: string): Readonly<Record<string, () => Environment>> {
  return executable === "fairlead"
    ? HOSTILE_VARIABLES
    : { ...HOSTILE_VARIABLES, "BUN_JSC_*": () => ENGINE_VARIABLES };
}

/** Calls whose answers do not depend on where they are made. */
function callsOf(executable: string): Call[] {
  if (executable === "fairlead") return [["--version"], ["--help"], ["no-such-command"]].map(cliCall);
  const config = { cniVersion: "1.0.0", name: "hostile", type: executable };
  const attachment = {
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "eth0",
    CNI_NETNS: "/nonexistent",
    CNI_PATH: "/nonexistent",
  };
  const json = JSON.stringify(config);
  return [
    { title: "no CNI_COMMAND", args: [], input: "", env: {} },
    { title: "VERSION", args: [], input: json, env: { CNI_COMMAND: "VERSION" } },
    {
      title: "ADD into a netns that is not there",
      args: [],
      input: json,
      env: { CNI_COMMAND: "ADD", ...attachment },
    },
    { title: "ADD with broken JSON", args: [], input: "{", env: { CNI_COMMAND: "ADD", ...attachment } },
  ];
}

function cliCall(args: readonly string[]): Call {
  return { title: args.join(" "), args, input: "", env: {} };
}

function runCall(
  executable: string,
  call: Call,
  { cwd, hostileEnv, wrapper = [] }: { cwd: string; hostileEnv: Environment; wrapper?: readonly string[] },
) {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...hostileEnv, ...call.env };
  const argv = [...wrapper, join(FAIRLEAD_DIRECTORY, executable), ...call.args];
  return tryCommand(argv, { cwd, env, input: call.input });
}

/** Paths that the traced processes opened or executed inside `folder`. */
function openedInside(folder: string, traceFile: string): string[] {
  const calls = readFileSync(traceFile, "utf8").matchAll(
    /(?:open|openat|openat2|execve|creat)\((?:AT_FDCWD, |\d+, )?"([^"]+)"/g,
  );
  const paths = [...calls].map((found) => resolve(folder, found[1] ?? ""));
  return paths.filter((path) => path.startsWith(`${folder}/`));
}

describe.each(FAIRLEAD_EXECUTABLES)("%s", (executable) => {
  const answers = new Map<string, CommandOutcome>();

  beforeAll(async () => {
    for (const call of callsOf(executable))
      answers.set(call.title, await runCall(executable, call, { cwd: clean, hostileEnv: {} }));
  });

  test("says something in a clean environment", () => {
    for (const { stdout, stderr } of answers.values()) expect(stdout + stderr).not.toBe("");
  });

  test.each(Object.keys(hostileVariables(executable)))("is unmoved by: %s", async (name) => {
    const hostileEnv = hostileVariables(executable)[name]?.() ?? {};
    const traceFile = join(lab.directory, "trace");
    const strace = [
      "strace",
      "-f",
      "-qq",
      "--seccomp-bpf",
      "-e",
      "trace=open,openat,openat2,creat,execve",
      "-o",
      traceFile,
    ];
    rmSync(marker, { force: true });
    const before = await listFiles();
    for (const call of callsOf(executable)) {
      expect(await runCall(executable, call, { cwd: hostile, hostileEnv })).toEqual(answers.get(call.title));
      expect(await runCall(executable, call, { cwd: hostile, hostileEnv, wrapper: strace })).toEqual(
        answers.get(call.title),
      );
      expect(openedInside(hostile, traceFile)).toEqual([]);
    }
    expect(existsSync(marker)).toBe(false);
    expect(await listFiles()).toEqual(before);
  });
});

/** Everything in the hostile folder: a file that appears there was written for a hostile variable. */
async function listFiles(): Promise<string> {
  const { stdout } = await tryCommand(["find", hostile]);
  return stdout;
}
