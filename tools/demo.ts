/**
 * The README's first command: two sandboxes on one bridge network, attached by the packaged CNI executables.
 *
 * Everything happens in a network namespace of its own that plays the host, with another one that plays the
 * internet, so that nothing of the machine's own network is touched; all of it is removed at the end.
 *
 * Usage: node tools/demo.ts BIN_DIRECTORY
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const bin = process.argv[2] ?? "dist/bin";
const tag = `fldemo${process.pid}`;
const [host, internet] = [`${tag}-host`, `${tag}-net`];
const sandboxes = [`${tag}-a`, `${tag}-b`] as const;
const scratch = mkdtempSync(join(tmpdir(), "fairlead-demo-"));
const socket = join(scratch, "fairlead.sock");

const conflist = {
  cniVersion: "1.0.0",
  name: "demo",
  type: "fairlead-bridge",
  bridge: "demo0",
  isGateway: true,
  ipMasq: true,
  ipam: {
    type: "fairlead-ipam",
    socket,
    stateDir: scratch,
    ranges: [[{ subnet: "10.77.0.0/24" }], [{ subnet: "fd77::/64" }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  },
};

function title(text: string): void {
  console.log(`\n\x1b[1m${text}\x1b[0m`);
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", timeout: 20_000 });
}

/** `nsenter`, not `ip netns exec`: the latter remounts /sys, which a demo has no business to do. */
function inNetns(netns: string, ...command: string[]): [string, string[]] {
  return ["nsenter", [`--net=/run/netns/${netns}`, "--", ...command]];
}

function cni(verb: string, sandbox: string): string {
  const [command, args] = inNetns(host, join(bin, "fairlead-bridge"));
  const result = spawnSync(command, args, {
    encoding: "utf8",
    input: JSON.stringify(conflist),
    timeout: 20_000,
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: sandbox,
      CNI_NETNS: `/run/netns/${sandbox}`,
      CNI_IFNAME: "eth0",
      CNI_PATH: bin,
    },
  });
  if (result.status !== 0) throw new Error(`${verb} ${sandbox}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

function buildLab(): void {
  for (const netns of [host, internet, ...sandboxes]) {
    run("ip", "netns", "add", netns);
    run("ip", "-n", netns, "link", "set", "lo", "up");
  }
  run("ip", "-n", host, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", internet);
  run("ip", "-n", host, "address", "add", "198.51.100.2/24", "dev", "eth0");
  run("ip", "-n", host, "link", "set", "eth0", "up");
  run("ip", "-n", internet, "address", "add", "198.51.100.1/24", "dev", "eth0");
  run("ip", "-n", internet, "link", "set", "eth0", "up");
}

async function startService(): Promise<() => Promise<void>> {
  // In the namespace that plays the host: its agent makes the bridge of the predefined network there.
  const directories = ["--state-dir", scratch, "--cni-conf-dir", join(scratch, "net.d")];
  const [command, args] = inNetns(host, join(bin, "fairlead"), "dev", "--socket", socket, ...directories);
  const server = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  for (let waited = 0; !existsSync(socket); waited += 20) {
    if (server.exitCode !== null || waited > 10_000) throw new Error("the IPAM service did not start");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return async () => {
    server.kill("SIGTERM");
    await exited;
  };
}

function ping(from: string, to: string): void {
  const [command, args] = inNetns(from, "ping", "-c", "2", "-i", "0.2", "-W", "2", to);
  console.log(run(command, ...args).trim());
}

function addressOf(result: string, family: 4 | 6): string {
  const { ips } = JSON.parse(result) as { ips: { address: string }[] };
  const found = ips.find((ip) => ip.address.includes(":") === (family === 6));
  if (!found) throw new Error(`no IPv${family} address in ${result}`);
  return found.address.replace(/\/.*/, "");
}

async function demo(): Promise<void> {
  const [a, b] = sandboxes;
  title("1. Start the IPAM service");
  const stop = await startService();
  try {
    title("2. ADD: attach two sandboxes to the network `demo`");
    const results = sandboxes.map((sandbox) => cni("ADD", sandbox));
    for (const result of results) console.log(result);
    title("3. The sandboxes reach each other, by IPv4 and IPv6, and the outside through masquerade");
    ping(a, addressOf(results[1] ?? "", 4));
    ping(b, addressOf(results[0] ?? "", 6));
    ping(a, "198.51.100.1");
    title("4. The lease table");
    console.log(run(join(bin, "fairlead"), "ipam", "leases", "--socket", socket));
    title("5. DEL: detach both; the addresses cool down before anybody else gets them");
    for (const sandbox of sandboxes) cni("DEL", sandbox);
    console.log(run(join(bin, "fairlead"), "ipam", "leases", "--socket", socket));
  } finally {
    await stop();
  }
}

function cleanUp(): void {
  for (const netns of [...sandboxes, internet, host]) spawnSync("ip", ["netns", "del", netns]);
  rmSync(scratch, { recursive: true, force: true });
}

try {
  buildLab();
  await demo();
  title("Done; everything was removed again.");
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  cleanUp();
}
