/** Names as containers see them, with the built executable, asked with dig, getent and busybox. Needs root. */
import { writeContainerLinks } from "../../lib/runtime/named-links.ts";
import { type Attached, CALLER, DnsLab } from "../support/dns/dns-lab.ts";
import { bridgeOf } from "../support/lab/agent-networks.ts";
import { HOST_IPV4 } from "../support/lab/lab.ts";
import { command, Daemon, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

const FRONT = "10.61.0.1";
const BACK = "10.62.0.1";
const FRONT_IPV6 = "fd00:61::1";

let lab: DnsLab;
let ins01: Attached;
let ins02: Attached;
let ins02back: Attached;
let ins03: Attached;

beforeAll(async () => {
  lab = await DnsLab.open("dns");
  await lab.createNetwork("frontend", ["10.61.0.0/24", "fd00:61::/64"]);
  await lab.createNetwork("backend", ["10.62.0.0/24"]);
  ins01 = await lab.attach("frontend", "ins01", { names: ["ins01", "Web_1", "no name"] });
  ins02 = await lab.attach("frontend", "ins02");
  ins02back = await lab.attach("backend", "ins02", { ifname: "eth1" });
  ins03 = await lab.attach("backend", "ins03");
});
afterAll(() => lab?.close());

const nothing: string[] = [];
const UNKNOWN = ["NXDOMAIN"];

test("the classic scenario, by name", async () => {
  expect(await lab.dig(ins01, FRONT, "ins02")).toEqual([ins02.addresses[0]]);
  expect(await lab.dig(ins01, FRONT, "ins03")).toEqual(UNKNOWN);
  expect(await lab.dig(ins02, FRONT, "ins01")).toEqual([ins01.addresses[0]]);
  expect(await lab.dig(ins02, FRONT, "ins03")).toEqual([ins03.addresses[0]]);
  expect(await lab.dig(ins02, BACK, "ins01")).toEqual([ins01.addresses[0]]);
  expect(await lab.dig(ins03, BACK, "ins01")).toEqual(UNKNOWN);
  expect(await lab.dig(ins03, BACK, "ins02")).toEqual([ins02back.addresses[0]]);
});

test("over IPv6 and TCP, in any case, with every record type", async () => {
  const [ipv4 = "", ipv6 = ""] = ins01.addresses;
  expect(await lab.dig(ins02, FRONT_IPV6, "INS01", "AAAA")).toEqual([ipv6]);
  expect(await lab.dig(ins02, FRONT_IPV6, "+tcp", "web_1", "A")).toEqual([ipv4]);
  expect(await lab.dig(ins02, FRONT, "+tcp", "ins01.frontend")).toEqual([ipv4]);
  expect(await lab.dig(ins02, FRONT, "ins01", "MX")).toEqual(nothing);
  expect(await lab.dig(ins02, BACK, "ins03", "AAAA")).toEqual(nothing);
  expect(await lab.dig(ins02, FRONT, "-x", ipv4)).toEqual(["ins01.frontend."]);
  expect(await lab.dig(ins02, FRONT, "-x", ipv6)).toEqual(["ins01.frontend."]);
  expect(await lab.dig(ins01, FRONT, "-x", ins03.addresses[0] ?? "")).toEqual(UNKNOWN);
  expect(await lab.dig(ins01, FRONT, "ins03.backend")).toEqual(UNKNOWN);
  expect(await lab.dig(ins01, FRONT, "version.bind", "TXT", "CH")).toEqual(["REFUSED"]);
  const kept = await lab.exec(ins02, "dig", `@${FRONT}`, "+noall", "+answer", "InS01");
  expect(kept.stdout).toMatch(/^InS01\.\s+2\s+IN\s+A/);
});

test("single labels and networks' names never leave the machine; the rest does, in full", async () => {
  const before = lab.forwarded().length;
  for (const name of ["nosuch", "ins03.backend", "nosuch.backend"]) {
    expect(await lab.dig(ins01, FRONT, name)).toEqual(UNKNOWN);
  }
  expect(lab.forwarded()).toHaveLength(before);
  expect(await lab.dig(ins01, FRONT, "www.example.com")).toEqual(["192.0.2.80"]);
  expect(await lab.dig(ins03, BACK, "+tcp", "www.example.com")).toEqual(["192.0.2.80"]);
  // dig asks again over TCP by itself.
  expect(await lab.dig(ins01, FRONT, "long.example.com")).toHaveLength(150);
  expect(await lab.dig(ins01, FRONT, "www.elsewhere.test")).toEqual(UNKNOWN);
  expect(lab.forwarded()).toContain("www.example.com");
});

test("the resolvers of glibc and of busybox find names as applications ask for them", async () => {
  const resolvConf = `nameserver ${FRONT}\noptions ndots:0\n`;
  const hosts = await lab.withResolvConf(ins02, resolvConf, "getent", "ahosts", "ins01");
  expect(hosts.stdout).toContain(ins01.addresses[0]);
  expect(hosts.stdout).toContain(ins01.addresses[1]);
  const reverse = await lab.withResolvConf(ins02, resolvConf, "getent", "hosts", ins01.addresses[0] ?? "");
  expect(reverse.stdout).toContain("ins01.frontend");
  expect(
    (await lab.withResolvConf(ins02, resolvConf, "getent", "hosts", "www.example.com")).stdout,
  ).toContain("192.0.2.80");
  expect((await lab.withResolvConf(ins02, resolvConf, "getent", "hosts", "nosuch")).status).toBe(2);
  const looked = await lab.exec(ins02, "busybox", "nslookup", "ins01", FRONT);
  expect(looked.stdout).toContain(ins01.addresses[0]);
});

test("the host asks on a gateway address as if it were on that network; strangers get no answer", async () => {
  const { lab: host } = lab.under;
  expect((await host.host(["dig", `@${FRONT}`, "+short", "ins01"])).trim()).toBe(ins01.addresses[0]);
  const dropped = (await lab.status()).figures["dropped"] ?? 0;
  const argv = ["dig", "-b", HOST_IPV4, `@${FRONT}`, "+tries=1", "+time=1", "ins01"];
  await expect(host.host(argv)).rejects.toThrow();
  expect((await lab.status()).figures["dropped"]).toBeGreaterThan(dropped);
});

test("several containers of one name are all answered, in changing order", async () => {
  const many = [];
  for (const container of ["m1", "m2", "m3"])
    many.push(await lab.attach("frontend", container, { names: ["many"] }));
  const all = many.map(({ addresses }) => addresses[0]).sort();
  const firsts = new Set<string>();
  for (let tries = 0; tries < 40 && firsts.size < 3; tries++) {
    const { stdout } = await lab.exec(ins01, "dig", `@${FRONT}`, "+short", "many", "A");
    expect(stdout.trim().split("\n").sort()).toEqual(all);
    firsts.add(stdout.split("\n")[0] ?? "");
  }
  expect(firsts.size).toBe(3);
  for (const one of many) await one.detach();
  await lab.under.agent.sync();
  expect(await lab.dig(ins01, FRONT, "many")).toEqual(UNKNOWN);
});

test("on the predefined bridge only links have names, and only for their owner", async () => {
  const gateway =
    (await lab.under.service.getNetwork({ name: "bridge" })).pools[0]?.subnets[0]?.gateway ?? "";
  const db = await lab.attach("bridge", "db1");
  writeContainerLinks({ runDir: lab.under.lab.directory, containerId: "app1" }, ["db1:database"]);
  const app = await lab.attach("bridge", "app1");
  expect(await lab.dig(app, gateway, "database")).toEqual([db.addresses[0]]);
  expect(await lab.dig(app, gateway, "db1")).toEqual([db.addresses[0]]);
  expect(await lab.dig(db, gateway, "app1")).toEqual(UNKNOWN);
  expect(await lab.dig(db, gateway, "database")).toEqual(UNKNOWN);
  expect(await lab.dig(db, gateway, "www.example.com")).toEqual(["192.0.2.80"]);
  await app.detach();
  await db.detach();
});

test("from an internal network nothing is asked of the world", async () => {
  await lab.createNetwork("vault", ["10.63.0.0/24"], { internal: true });
  const safe = await lab.attach("vault", "safe");
  expect(await lab.dig(safe, "10.63.0.1", "safe")).toEqual([safe.addresses[0]]);
  expect(await lab.dig(safe, "10.63.0.1", "www.example.com")).toEqual(["REFUSED"]);
  await safe.detach();
  await lab.removeNetwork("vault");
});

test("a container without names is called by its ID", async () => {
  const nameless = await lab.attach("frontend", "default-shop", { names: [] });
  expect(await lab.dig(ins01, FRONT, "default-shop")).toEqual([nameless.addresses[0]]);
  await nameless.detach();
});

test("names also come from podman's aliases and Kubernetes' arguments", async () => {
  const runtimeConfig = { aliases: { frontend: ["shop", "store"], backend: ["elsewhere"] } };
  const cniArgs = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-7";
  const pod = await lab.attach("frontend", "p7", { names: [], runtimeConfig, cniArgs });
  for (const name of ["shop", "STORE", "pod-7", "pod-7.default", "pod-7.frontend"]) {
    expect(await lab.dig(ins01, FRONT, name)).toEqual([pod.addresses[0]]);
  }
  expect(await lab.dig(ins01, FRONT, "elsewhere")).toEqual(UNKNOWN);
  expect(await lab.dig(ins01, FRONT, "p7")).toEqual(UNKNOWN);
  expect(await lab.dig(ins01, FRONT, "-x", pod.addresses[0] ?? "")).toEqual(["pod-7.frontend."]);
  await pod.detach();
});

test("a hand-written conflist's gateway is listened on as soon as its first container makes the bridge", async () => {
  const ipam = { type: "fairlead-ipam", socket: lab.under.socket, stateDir: lab.under.stateDir };
  const bridge = { type: "fairlead-bridge", bridge: "flhand0", isGateway: true };
  const plugins = [{ ...bridge, ipam: { ...ipam, ranges: [[{ subnet: "10.58.0.0/24" }]] } }];
  const conflist = { cniVersion: "1.0.0", name: "hand", plugins };
  const first = await lab.attachBy(conflist, "hand1");
  const second = await lab.attachBy(conflist, "hand2");
  const isAnswered = async () =>
    (await lab.exec(first, "dig", "@10.58.0.1", "+short", "+tries=1", "+time=1", "hand2")).stdout !== "";
  expect(await waitUntil(isAnswered, 30_000)).toBe(true);
  expect(await lab.dig(first, "10.58.0.1", "hand2")).toEqual([second.addresses[0]]);
  expect(await lab.dig(first, "10.58.0.1", "ins01")).toEqual(UNKNOWN);
  await first.detach();
  await second.detach();
});

test("after a disconnect the name is gone, and the other network's names with it", async () => {
  const extra = await lab.attach("frontend", "ins03", { ifname: "eth1" });
  expect(await lab.dig(ins03, BACK, "ins01")).toEqual([ins01.addresses[0]]);
  await extra.detach();
  await lab.under.agent.sync();
  expect(await lab.dig(ins03, BACK, "ins01")).toEqual(UNKNOWN);
  expect(await lab.dig(ins01, FRONT, "ins03")).toEqual(UNKNOWN);
  expect(await lab.dig(ins03, BACK, "ins02")).toEqual([ins02back.addresses[0]]);
});

/** A program that has port 53 of an address, which need not be there yet. */
async function holdPort(address: string): Promise<Daemon> {
  const { lab: host } = lab.under;
  const script = `import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP,15,1) # IP_FREEBIND
s.bind(("${address}",53))
print("bound",flush=True)
time.sleep(90)`;
  const holder = Daemon.start(host.inHost("python3", "-c", script), host.file(`holder-${address}.log`, ""));
  host.defer("stop the holder", () => holder.stop());
  await holder.waitUntilReady(async () => holder.logTail().includes("bound"));
  return holder;
}

test("a port 53 that another program holds is said in the status, and costs that network only", async () => {
  const { lab: host } = lab.under;
  const holder = await holdPort("10.59.0.1");
  await lab.under.service.createNetwork({ name: "late", subnets: [{ subnet: "10.59.0.0/24" }] }, CALLER);
  const { problems } = await lab.under.agent.sync();
  const taken = problems.filter(({ object }) => object === "late");
  expect(taken).toMatchObject([{ severity: "error" }]);
  expect(taken[0]?.message).toContain("10.59.0.1:53 is taken by another program");
  expect(await lab.dig(ins01, FRONT, "ins02")).toEqual([ins02.addresses[0]]);
  await holder.stop();
  const isServed = async () => (await lab.status()).problems.length === 0;
  expect(await waitUntil(isServed, 15_000)).toBe(true);
  expect((await host.host(["dig", "@10.59.0.1", "+noall", "+comments", "nosuch"])).toString()).toContain(
    "NXDOMAIN",
  );
  await lab.removeNetwork("late");
});

test("a program on every address keeps all names from being served, until it ends", async () => {
  await lab.under.killAgent();
  // Names are served on for some seconds.
  const isServed = async () => (await lab.under.lab.host(["ss", "-lnuH", "src", `${FRONT}:53`])) !== "";
  expect(await waitUntil(async () => !(await isServed()), 20_000)).toBe(true);
  const holder = await holdPort("0.0.0.0");
  await lab.under.startAgent();
  const { problems } = await lab.under.agent.sync();
  expect(problems.map(({ object }) => object)).toEqual(expect.arrayContaining(["frontend", "backend"]));
  expect(problems[0]?.message).toContain("one that listens on every address");
  await holder.stop();
  expect(await waitUntil(async () => (await lab.status()).problems.length === 0, 15_000)).toBe(true);
  expect(await lab.dig(ins01, FRONT, "ins02")).toEqual([ins02.addresses[0]]);
});

test("a killed agent that is started again, and a restarted server, answer as before", async () => {
  await lab.under.killAgent();
  await lab.under.startAgent();
  await lab.under.agent.sync();
  expect(await lab.dig(ins01, FRONT, "ins02")).toEqual([ins02.addresses[0]]);
  await lab.under.stopServer();
  expect(await lab.dig(ins01, FRONT, "ins02")).toEqual([ins02.addresses[0]]);
  await lab.under.startServer();
  await lab.under.agent.sync();
  expect(await lab.dig(ins02, BACK, "ins03")).toEqual([ins03.addresses[0]]);
});

test("a bridge that somebody removed and the agent made again is served by the same sockets", async () => {
  const bridge = bridgeOf(await lab.under.service.getNetwork({ name: "backend" }));
  const listening = async () =>
    (await lab.under.lab.host(["ss", "-lnuH", "src", `${BACK}:53`])).split(/\s+/)[3];
  const before = await listening();
  await command(["ip", "-n", lab.under.lab.hostNetns, "addr", "del", `${BACK}/24`, "dev", bridge]);
  await command(["ip", "-n", lab.under.lab.hostNetns, "addr", "add", `${BACK}/24`, "dev", bridge]);
  expect(await lab.dig(ins03, BACK, "ins02")).toEqual([ins02back.addresses[0]]);
  expect(await listening()).toBe(before);
});
