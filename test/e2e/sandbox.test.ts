/** `fairlead sandbox`: made whole or not at all, entered, listed, removed; and the reaper behind containers that are gone. */
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { canPing, HOST_IPV4, Lab, netnsPath } from "../support/lab/lab.ts";
import { command, Daemon, tryCommand, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(90_000);

const own = (name: string): string => `${name}-${process.pid}`;

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("sandbox");
  node = await FairleadNode.start(lab);
  for (const [name, subnet] of [
    ["one", "10.93.0.0/24"],
    ["two", "10.94.0.0/24"],
  ] as const)
    lab.file(`net.d/10-${name}.conflist`, JSON.stringify(conflist(name, subnet)));
});

afterAll(async () => {
  const { sandboxes: left } = JSON.parse(await node.run("sandbox", "ls", "--json")) as {
    sandboxes: { name: string }[];
  };
  for (const { name } of left) await node.try("sandbox", "rm", "-f", name);
  await lab.close();
});

function conflist(name: string, subnet: string): object {
  const gateway = subnet.replace("0/24", "1");
  const ipam = {
    type: "fairlead-ipam",
    socket: node.socket,
    stateDir: join(lab.directory, "state"),
    ranges: [[{ subnet }]],
  };
  return {
    cniVersion: "1.0.0",
    name,
    plugins: [
      {
        type: "fairlead-bridge",
        bridge: `flsb${name}`,
        isGateway: true,
        isDefaultGateway: true,
        gatewayPriority: 0,
        capabilities: { ips: true, mac: true },
        dns: { nameservers: [gateway], options: ["ndots:0"] },
        ipam,
      },
    ],
  };
}

interface Inspected {
  readonly Id: string;
  readonly State: string;
  readonly SandboxKey: string;
  readonly Networks: Readonly<Record<string, { readonly Interface: string; readonly IPAddress: string }>>;
}

async function inspect(name: string): Promise<Inspected> {
  const [found] = JSON.parse(await node.run("sandbox", "inspect", name)) as Inspected[];
  if (found === undefined) throw new Error(`no sandbox ${name}`);
  return found;
}

const output = async (name: string, ...argv: string[]): Promise<string> =>
  (await node.exec(name, ...argv)).stdout.trim();
const cached = (): string[] => readdirSync(join(node.cacheFolder, "results"));

test("a sandbox that is made anew under its name has its address again, at once", async () => {
  const [name, other] = [own("again"), own("other")];
  const addressOf = async (sandbox: string) => (await inspect(sandbox)).Networks["one"]?.IPAddress;
  await node.run("sandbox", "create", "--network", "one", name);
  const address = await addressOf(name);
  await node.run("sandbox", "rm", "-f", name);
  await node.run("sandbox", "create", "--network", "one", other);
  await node.run("sandbox", "create", "--network", "one", name);
  expect(await addressOf(name)).toBe(address);
  expect(await addressOf(other)).not.toBe(address);
  await node.run("sandbox", "rm", "-f", name, other);
});

test("an address moves from one container to the next without a pause", async () => {
  const [blue, green] = [own("blue"), own("green")];
  const wish = "one,ip=10.93.0.77";
  await node.run("sandbox", "create", "--network", wish, blue);
  await node.run("sandbox", "rm", "-f", blue);
  await node.run("sandbox", "create", "--network", wish, green);
  expect((await inspect(green)).Networks["one"]?.IPAddress).toBe("10.93.0.77");
  await node.run("sandbox", "rm", "-f", green);
});

test("a sandbox on two networks has their interfaces, name servers and names", async () => {
  const name = own("multi");
  const id = (
    await node.run("sandbox", "create", "--network", "one", "--network", "two,ip=10.94.0.9", name)
  ).trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  const { Networks, State, SandboxKey } = await inspect(id.slice(0, 8));
  expect([State, SandboxKey]).toEqual(["ready", netnsPath(name)]);
  expect(Networks["two"]).toMatchObject({ Interface: "eth1", IPAddress: "10.94.0.9" });
  expect(await output(name, "hostname")).toBe(name);
  expect(await output(name, "cat", "/etc/resolv.conf")).toBe(
    `# Written by fairlead for sandbox ${name}.\nnameserver 10.93.0.1\nnameserver 10.94.0.1\noptions ndots:0`,
  );
  expect(await output(name, "getent", "hosts", name)).toContain("10.9");
  expect(await command(["ip", "netns", "list"])).toContain(name);
  await node.run("sandbox", "rm", name);
  expect([existsSync(netnsPath(name)), cached()]).toEqual([false, []]);
});

test("search domains, options and hosts of one's own, in the files that a command inside reads", async () => {
  const name = own("resolver");
  const options = ["--dns-search", "corp.example", "--dns-option", "rotate", "--add-host", "db:192.0.2.9"];
  await node.run("sandbox", "create", "--network", "one", ...options, "--add-host", "gw:host-gateway", name);
  const resolver = (await output(name, "cat", "/etc/resolv.conf")).split("\n").slice(1);
  expect(resolver).toEqual(["nameserver 10.93.0.1", "search corp.example", "options rotate ndots:0"]);
  expect(await output(name, "getent", "hosts", "db", "gw")).toMatch(/^192\.0\.2\.9 +db\n10\.93\.0\.1 +gw$/);
  const refused = await node.try(
    "sandbox",
    "create",
    "--network",
    "host",
    "--dns-search",
    "x.test",
    own("onhost"),
  );
  expect([refused.status, refused.stderr]).toEqual([
    2,
    "fairlead: conflicting options: dns and the network mode\n",
  ]);
  await node.run("sandbox", "rm", name);
});

test("in the host's network a sandbox has the host's name, unless it was given one", async () => {
  const [plain, named] = [own("hostname"), own("named")];
  await node.run("sandbox", "create", "--network", "host", plain);
  await node.run("sandbox", "create", "--network", "host", "--hostname", "www", named);
  expect([await output(plain, "hostname"), await output(named, "hostname")]).toEqual([hostname(), "www"]);
  await node.run("sandbox", "rm", plain, named);
});

test("a process inside sees the networks that come and go", async () => {
  const name = own("watch");
  await node.run("sandbox", "create", "--network", "one", name);
  const begun = join(lab.directory, "begun");
  const loop = `touch ${begun}; for i in $(seq 100); do if grep -q 10.94.0.1 /etc/resolv.conf; then echo seen; exit; fi; sleep 0.1; done; echo no`;
  const watching = node.exec(name, "sh", "-c", loop);
  expect(await waitUntil(async () => existsSync(begun), 30_000)).toBe(true);
  await node.run("network", "connect", "two", name);
  expect((await watching).stdout).toBe("seen\n");
  await node.run("network", "disconnect", "two", name);
  expect(await output(name, "cat", "/etc/resolv.conf")).not.toContain("10.94.0.1");
  await node.run("sandbox", "rm", name);
});

test("exec gives the command's status, its streams and its signals' defaults", async () => {
  const name = own("exec");
  await node.run("sandbox", "create", "--network", "none", name);
  const run = async (...argv: string[]) => (await node.exec(name, ...argv)).status;
  expect([
    await run("sh", "-c", "exit 42"),
    await run("--", "true"),
    await run("nosuch"),
    await run(lab.file("data", "no program")),
  ]).toEqual([42, 0, 127, 126]);
  const script = lab.file("garbage", "\u007fELF nonsense");
  chmodSync(script, 0o755);
  expect(await run(script)).toBe(126);
  const sigpipe = await node.exec(name, "grep", "SigIgn", "/proc/self/status");
  expect(sigpipe.stdout.trim()).toBe("SigIgn:\t0000000000000000");
  const typed = await tryCommand(node.argv(["sandbox", "exec", name, "cat"]), { input: "typed" });
  expect(typed.stdout).toBe("typed");
  const mounts = await output(name, "cat", "/proc/self/mounts");
  expect(mounts).toContain(" /etc/resolv.conf ");
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(" /etc/resolv.conf ext");
  await node.run("sandbox", "rm", name);
});

test("a sandbox whose second network cannot be had leaves nothing behind", async () => {
  const name = own("half");
  const { status, stderr } = await node.try(
    "sandbox",
    "create",
    "--network",
    "one",
    "--network",
    "nosuch",
    name,
  );
  expect([status, stderr]).toEqual([4, "fairlead: network nosuch not found\n"]);
  expect([
    existsSync(netnsPath(name)),
    cached(),
    (await node.try("sandbox", "inspect", name)).status,
  ]).toEqual([false, [], 4]);
});

test.each([
  [["create", "--network", "one", "a"], 2, "Invalid container name (a)"],
  [["create", "--network", "none", "--network", "one", "xx"], 2, "conflicting options"],
  [["create", "--network", "one,ip", "xx"], 2, 'invalid network "one,ip"'],
  [["create", "-p", "0.0.0.0:80:", "xx"], 2, 'invalid published port "0.0.0.0:80:"'],
  [["create", "--dns", "x", "xx"], 2, "x is not an ip address"],
  [["create", "--hostname", "a b", "xx"], 2, "invalid hostname format: a b"],
  [
    ["create", "--hostname", "h\n6.6.6.6\tbank", "xx"],
    2,
    "invalid hostname format: h\\u000a6.6.6.6\\u0009bank",
  ],
  [["rm", "nosuch"], 4, "No such sandbox: nosuch"],
  [["inspect", "nosuch"], 4, "No such sandbox: nosuch"],
  [["exec", "nosuch", "true"], 1, "No such sandbox: nosuch"],
])("sandbox %j: status %d, %s", async (words, expected, message) => {
  const { status, stderr } = await node.try("sandbox", ...words);
  expect([status, stderr]).toEqual([expected, expect.stringContaining(message)]);
  expect(stderr).toMatch(/^fairlead: [^\n]*\n$/);
});

test("a host name resolves, and names that cannot be are told of", async () => {
  const [name, peer] = [own("named"), own("asks")];
  await node.run("network", "create", "names");
  await node.run("sandbox", "create", "--network", "names", peer);
  await node.run("sandbox", "create", "--network", "names", "--hostname", "www.test", name);
  expect(await output(name, "hostname")).toBe("www.test");
  for (const each of ["www.test", name]) expect(await output(peer, "getent", "hosts", each)).toContain(each);
  const dash = `${name}-`;
  const warned = await node.try("sandbox", "create", "--network", "names,alias=b c", dash);
  const warning = (text: string) => `fairlead: warning: "${text}" cannot be looked up: a name has labels`;
  for (const each of [dash, "b c"]) expect(warned.stderr).toContain(warning(each));
  expect(await output(dash, "hostname")).toBe(warned.stdout.slice(0, 12));
  const connected = await node.try("network", "connect", "--alias", "x_1,*.y,z", "one", dash);
  expect([connected.status, connected.stderr.split("\n").length]).toEqual([0, 3]);
  expect(connected.stderr).toContain(warning("*.y"));
  await node.run("sandbox", "rm", name, peer, dash);
  await node.run("network", "rm", "names");
});

test("of many that create one name at once, one succeeds; different names all do", async () => {
  const name = own("race");
  const same = await Promise.all(
    Array.from({ length: 4 }, () => node.try("sandbox", "create", "--network", "one", name)),
  );
  expect(same.filter(({ status }) => status === 0)).toHaveLength(1);
  expect(same.find(({ status }) => status === 3)?.stderr).toContain(
    `The sandbox name "${name}" is already in use`,
  );
  const names = Array.from({ length: 4 }, (_, index) => own(`many${index}`));
  await Promise.all(names.map((each) => node.run("sandbox", "create", "--network", "one", each)));
  expect(cached()).toHaveLength(5);
  expect((await node.try("sandbox", "rm", name, ...names)).stdout.split("\n")).toHaveLength(6);
});

test("none is refused by connect until it is left; processes inside keep a sandbox from being removed", async () => {
  const name = own("none");
  await node.run("sandbox", "create", "--network", "none", name);
  const refused = await node.try("network", "connect", "one", name);
  expect(refused.stderr).toContain("one of the networks in private (none) mode");
  await node.run("network", "disconnect", "none", name);
  await node.run("network", "connect", "one", name);
  const sleeper = Daemon.start(
    node.argv(["sandbox", "exec", name, "sleep", "60"]),
    join(lab.directory, "sleep.log"),
  );
  // The command line has become the command when its words are the command's.
  await sleeper.waitUntilReady(async () =>
    readFileSync(`/proc/${sleeper.pid}/cmdline`, "utf8").startsWith("sleep"),
  );
  expect((await node.try("sandbox", "rm", name)).stderr).toContain("(sleep)");
  await node.run("sandbox", "rm", "-f", name);
  expect(sleeper.running).toBe(true);
  await sleeper.stop();
});

test("two families, with the addresses and the route that were asked for", async () => {
  const [name, peer] = [own("dual"), own("peer")];
  const subnets = ["--subnet", "10.95.0.0/24", "--subnet", "fd00:95::/64"];
  await node.run("network", "create", "--ipv6", ...subnets, "dual");
  await node.run(
    "sandbox",
    "create",
    "--network",
    "one",
    "--network",
    "dual,ip=10.95.0.9,ip6=fd00:95::9,gw-priority=7",
    name,
  );
  await node.run("sandbox", "create", "--network", "dual", peer);
  const { Networks } = await inspect(name);
  expect(Networks["dual"]).toMatchObject({ IPAddress: "10.95.0.9", GlobalIPv6Address: "fd00:95::9" });
  expect(await output(name, "ip", "route", "get", "203.0.113.1")).toContain("via 10.95.0.1");
  for (const address of ["10.95.0.9", "fd00:95::9", name])
    expect([address, (await node.exec(peer, "ping", "-c1", "-W2", address)).status]).toEqual([address, 0]);
  await node.run("sandbox", "rm", name, peer);
  await node.run("network", "rm", "dual");
});

test("published ports lead into a sandbox, and are free again after it", async () => {
  const name = own("published");
  await node.run("network", "create", "ports");
  await node.run("sandbox", "create", "-p", "18081:80", "--network", "ports", name);
  const server = Daemon.start(
    node.argv(["sandbox", "exec", name, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc"]),
    join(lab.directory, "httpd.log"),
  );
  const load = () =>
    lab.internet(["timeout", "3", "busybox", "wget", "-qO-", `http://${HOST_IPV4}:18081/hostname`]);
  expect(
    await waitUntil(
      async () =>
        load().then(
          () => true,
          () => false,
        ),
      10_000,
    ),
  ).toBe(true);
  const other = await node.try("sandbox", "create", "-p", "18081:80", "--network", "ports", own("other"));
  expect([other.status, other.stderr]).toEqual([3, expect.stringContaining("18081")]);
  expect((await node.try("sandbox", "inspect", own("other"))).status).toBe(4);
  await server.stop();
  await node.run("sandbox", "rm", name);
  await expect(load()).rejects.toThrow();
  await node.run("network", "rm", "ports");
});

test("a sandbox whose namespace was taken away shows as gone, and its addresses come back", async () => {
  const name = own("lost");
  await node.run("sandbox", "create", "--network", "one", name);
  await command(["ip", "netns", "del", name]);
  expect((await inspect(name)).State).toBe("gone");
  expect((await node.exec(name, "true")).stderr).toContain("is gone");
  // The agent takes back what it held; nobody asked.
  expect(await waitUntil(async () => cached().length === 0, 20_000)).toBe(true);
  await node.run("sandbox", "rm", name);
});

test("a bare netns that goes away is released by itself, one that stays is not", async () => {
  const stays = await lab.addContainer("stays");
  const goes = own("goes");
  await command(["ip", "netns", "add", goes]);
  await node.run("network", "connect", "--netns", stays, "one");
  await node.run("network", "connect", "--netns", netnsPath(goes), "one");
  expect(cached()).toHaveLength(2);
  await command(["ip", "netns", "del", goes]);
  expect(await waitUntil(async () => cached().length === 1, 20_000)).toBe(true);
  expect(await canPing(stays, "10.93.0.1")).toBe(true);
  await node.run("network", "disconnect", "--netns", stays, "one");
});
