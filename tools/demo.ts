/**
 * The README's first command: two networks and the containers on them, as on a machine with Fairlead installed.
 *
 * Everything happens in a mount namespace and a network namespace of its own, with empty directories where Fairlead
 * keeps its state, so that the commands are those that a user types, nothing of the machine's own is touched, and the
 * kernel itself removes what was made when the demo ends, however it ends.
 *
 * Usage: node tools/demo.ts BIN_DIRECTORY [--verbose]
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmdirSync } from "node:fs";
import { get } from "node:http";
import { delimiter, dirname, resolve } from "node:path";

const [bin = "dist/bin", ...options] = process.argv.slice(2);
const isVerbose = options.includes("--verbose");
const directory = resolve(bin);
/** Set in the process that has namespaces of its own. */
const INSIDE = "FAIRLEAD_DEMO_INSIDE";
/** Where Fairlead and its containers leave things; empty in here. */
const PLACES = ["/run", "/var/lib/fairlead", "/var/lib/cni", "/etc/cni"];
const LOG = "/run/fairlead-dev.log";
const LIMIT_MS = 30_000;
const INTERNET = "internet";

function title(text: string): void {
  console.log(process.stdout.isTTY ? `\n\x1b[1m${text}\x1b[0m` : `\n${text}`);
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    encoding: "utf8",
    timeout: LIMIT_MS,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Shows a command as it would be typed, runs it, and shows what it says. It must end with this status. */
function type(line: string, status = 0): string {
  console.log(`$ ${line}`);
  const [command = "", ...args] = line.split(" ");
  const done = spawnSync(command, args, { encoding: "utf8", timeout: LIMIT_MS });
  process.stdout.write(done.stdout + done.stderr);
  if (done.status !== status)
    throw new Error(`${line}: status ${done.status ?? done.signal}, expected ${status}`);
  return done.stdout;
}

/** A way out, and a stub of the internet at its end, which has no route back to any container. */
function makeUplink(): void {
  run("ip", "link", "set", "lo", "up");
  run("ip", "netns", "add", INTERNET);
  run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", INTERNET);
  run("ip", "address", "add", "198.51.100.2/24", "dev", "eth0");
  run("ip", "link", "set", "eth0", "up");
  run("ip", "route", "add", "default", "via", "198.51.100.1");
  run("ip", "-n", INTERNET, "address", "add", "198.51.100.1/24", "dev", "eth0");
  run("ip", "-n", INTERNET, "link", "set", "eth0", "up");
}

async function startDev(): Promise<() => Promise<void>> {
  console.log("$ fairlead dev &");
  const log = isVerbose ? "inherit" : openSync(LOG, "w");
  const dev = spawn("fairlead", ["dev"], { stdio: ["ignore", log, log] });
  let failure = "fairlead dev did not start";
  dev.once("error", ({ message }) => {
    failure = message;
  });
  const exited = new Promise<void>((done) => dev.once("exit", () => done()));
  const isUp = (): boolean =>
    existsSync("/run/fairlead/fairlead.sock") && existsSync("/run/fairlead/agent.sock");
  await until(isUp, () => failure, dev);
  return async () => {
    dev.kill("SIGTERM");
    await exited;
  };
}

async function until(holds: () => boolean, problem: () => string, child: ChildProcess): Promise<void> {
  for (let waited = 0; !holds(); waited += 20) {
    const hasFailed = child.pid === undefined || child.exitCode !== null;
    if (hasFailed || waited > LIMIT_MS) throw new Error(problem());
    await new Promise((done) => setTimeout(done, 20));
  }
}

function makeNetworks(): void {
  title("2. Two networks, and containers on them: ins02 is on both");
  for (const name of ["frontend", "backend"]) type(`fairlead network create ${name}`);
  for (const name of ["ins01", "ins02"]) type(`fairlead sandbox create --network frontend ${name}`);
  type("fairlead sandbox create --network backend ins03");
  type("fairlead network connect backend ins02");
  type("fairlead network ls");
  type("fairlead sandbox ls");
}

function showNames(): void {
  title("3. Containers of one network reach each other by name");
  type("fairlead sandbox exec ins01 ping -c 1 -W 2 ins02");
  type("fairlead sandbox exec ins03 ping -c 1 -W 2 ins02");
  title("4. Those of different networks do not: neither by name nor by address");
  const address = addressOf("ins03");
  type("fairlead sandbox exec ins01 ping -c 1 -W 1 ins03", 2);
  type(`fairlead sandbox exec ins01 ping -c 1 -W 1 ${address}`, 1);
  title("5. All reach the outside, which sees this host's address");
  type("fairlead sandbox exec ins01 ping -c 1 -W 2 198.51.100.1");
}

function addressOf(sandbox: string): string {
  const [found] = JSON.parse(run("fairlead", "sandbox", "inspect", sandbox)) as unknown[];
  const match = /\b10\.\d+\.\d+\.\d+|\b172\.\d+\.\d+\.\d+|\b192\.168\.\d+\.\d+/.exec(JSON.stringify(found));
  if (match === null) throw new Error(`no address of ${sandbox}`);
  return match[0];
}

const SERVE = `require("http").createServer((q, s) => s.end("hello from web\\n")).listen(80)`;

async function showPort(): Promise<void> {
  title("6. A published port");
  type("fairlead sandbox create --network frontend --publish 8080:80 web");
  console.log(`$ fairlead sandbox exec web node -e '${SERVE}' &`);
  const server = spawn("fairlead", ["sandbox", "exec", "web", process.execPath, "-e", SERVE], {
    stdio: "ignore",
  });
  try {
    const url = "http://198.51.100.2:8080/";
    console.log(`$ curl ${url}`);
    process.stdout.write(await fetchText(url, server));
  } finally {
    server.kill("SIGKILL");
  }
}

/** Asks until somebody listens. */
async function fetchText(url: string, server: ChildProcess): Promise<string> {
  for (let waited = 0; ; waited += 50) {
    const text = await ask(url);
    if (text !== null) return text;
    if (server.exitCode !== null || waited > LIMIT_MS) throw new Error(`${url} does not answer`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

function ask(url: string): Promise<string | null> {
  return new Promise((done) => {
    const request = get(url, { agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => done(text));
    });
    request.on("error", () => done(null));
  });
}

function showHistory(): void {
  title("7. Who has which address, and who had it");
  const address = addressOf("ins02");
  type("fairlead ipam leases");
  type("fairlead network disconnect backend ins02");
  type("fairlead sandbox exec ins02 ping -c 1 -W 2 ins03", 2);
  type("fairlead sandbox rm -f ins02");
  type(`fairlead ipam history ${address}`);
}

/** The same by hand, as a container runtime does it. */
function showCni(): void {
  title("8. What a container runtime does: it executes a plugin, JSON in, JSON out");
  const conflist = JSON.parse(readFileSync("/etc/cni/net.d/85-fairlead-frontend.conflist", "utf8")) as {
    name: string;
    cniVersion: string;
    plugins: object[];
  };
  const { name, cniVersion, plugins } = conflist;
  const request = JSON.stringify({ cniVersion, name, ...plugins[0] }, null, 2);
  run("ip", "netns", "add", "byhand");
  for (const verb of ["ADD", "DEL"]) {
    console.log(`$ CNI_COMMAND=${verb} CNI_CONTAINERID=byhand … fairlead-bridge <<'END'\n${request}\nEND`);
    const env = {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: "byhand",
      CNI_NETNS: "/run/netns/byhand",
      CNI_IFNAME: "eth0",
    };
    const done = spawnSync("fairlead-bridge", {
      input: request,
      encoding: "utf8",
      env: { ...process.env, ...env, CNI_PATH: directory },
    });
    process.stdout.write(done.stdout);
    if (done.status !== 0) throw new Error(`${verb}: status ${done.status}`);
  }
}

async function demo(): Promise<void> {
  makeUplink();
  title("1. Everything that one machine needs, in one process");
  const stop = await startDev();
  try {
    makeNetworks();
    showNames();
    await showPort();
    showHistory();
    if (isVerbose) showCni();
    for (const name of ["ins01", "ins03", "web"]) run("fairlead", "sandbox", "rm", "-f", name);
    run("fairlead", "network", "rm", "frontend", "backend");
  } finally {
    await stop();
  }
}

/** Directories of ours that were missing on the machine, to be mount points. Deepest first. */
function makeMissing(): string[] {
  const made: string[] = [];
  for (const place of PLACES) {
    const missing: string[] = [];
    for (let path = place; !existsSync(path); path = dirname(path)) missing.unshift(path);
    for (const path of missing) {
      mkdirSync(path);
      made.unshift(path);
    }
  }
  return made;
}

/** Somebody may have begun to use it meanwhile. */
function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw thrown;
  }
}

/** Runs this very program in namespaces of its own. */
function enter(): number {
  const made = makeMissing();
  try {
    const self = [process.execPath, "--no-warnings", ...process.argv.slice(1)];
    const isolated = [
      "--mount",
      "--net",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "--propagation",
      "private",
    ];
    const env = { ...process.env, [INSIDE]: "1", PATH: `${directory}${delimiter}${process.env["PATH"]}` };
    const done = spawnSync("unshare", [...isolated, ...self], { stdio: "inherit", env });
    if (done.error) throw done.error;
    return done.status ?? 1;
  } finally {
    for (const path of made) removeIfEmpty(path);
  }
}

async function inside(): Promise<void> {
  for (const place of PLACES) run("mount", "-t", "tmpfs", "tmpfs", place);
  mkdirSync("/etc/cni/net.d");
  try {
    await demo();
  } catch (error) {
    if (existsSync(LOG)) console.error(`What fairlead dev said:\n${readFileSync(LOG, "utf8")}`);
    throw error;
  }
  title("Done. Nothing is left: the demo had namespaces and directories of its own.");
  if (!isVerbose) console.log("What the plugins are asked and answer is shown by: ./build.sh demo --verbose");
}

try {
  if (process.env[INSIDE] === "1") await inside();
  else process.exitCode = enter();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
