/** Published ports of sandboxes as people ask for them: chosen, refused, listed, and on the network with the way out. */
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { HOST_IPV4, Lab } from "../support/lab/lab.ts";
import { Daemon, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(90_000);

const own = (name: string): string => `${name}-${process.pid}`;

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("sandbox-ports");
  node = await FairleadNode.start(lab);
  await node.run("network", "create", "front");
  await node.run("network", "create", "back");
  await node.run("network", "create", "--internal", "inner");
});

afterAll(async () => {
  const names = (await node.run("sandbox", "ls", "-q")).split("\n").filter((id) => id !== "");
  for (const id of names) await node.try("sandbox", "rm", "-f", id);
  await lab.close();
});

interface Inspected {
  readonly Name: string;
  readonly Ports: Readonly<
    Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>
  >;
}

async function portsOf(name: string): Promise<Inspected["Ports"]> {
  const [found] = JSON.parse(await node.run("sandbox", "inspect", name)) as Inspected[];
  return found?.Ports ?? {};
}

const create = (name: string, ...options: string[]) => node.try("sandbox", "create", ...options, name);

async function serve(name: string): Promise<Daemon> {
  const words = ["sandbox", "exec", name, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc"];
  const daemon = Daemon.start(node.argv(words), join(lab.directory, `${name}.log`));
  lab.defer(`stop ${name}`, () => daemon.stop());
  return daemon;
}

const loads = (port: string): Promise<boolean> =>
  waitUntil(
    () =>
      lab.internet(["timeout", "2", "busybox", "wget", "-qO-", `http://${HOST_IPV4}:${port}/hostname`]).then(
        () => true,
        () => false,
      ),
    15_000,
  );

test("a port that is left open is a free one, which inspect, port and ls tell", async () => {
  const name = own("open");
  expect((await create(name, "--network", "front", "-p", "80", "-p", "127.0.0.1::53/udp")).stderr).toBe("");
  const ports = await portsOf(name);
  const [tcp] = ports["80/tcp"] ?? [];
  expect(Number(tcp?.HostPort)).toBeGreaterThanOrEqual(1024);
  expect(ports["53/udp"]).toEqual([{ HostIp: "127.0.0.1", HostPort: expect.stringMatching(/^\d+$/) }]);
  const listed = await node.run("sandbox", "port", name);
  expect(listed.split("\n").sort()).toEqual(
    [
      "",
      `53/udp -> 127.0.0.1:${ports["53/udp"]?.[0]?.HostPort}`,
      `80/tcp -> 0.0.0.0:${tcp?.HostPort}`,
    ].sort(),
  );
  expect(await node.run("sandbox", "port", name, "80")).toBe(`0.0.0.0:${tcp?.HostPort}\n`);
  expect(await node.run("sandbox", "ls", "--no-trunc")).toContain(`0.0.0.0:${tcp?.HostPort}->80/tcp`);
  expect(await node.try("sandbox", "port", name, "81")).toMatchObject({
    status: 4,
    stderr: `fairlead: No public port '81/tcp' published for ${name}\n`,
  });
  await serve(name);
  expect(await loads(tcp?.HostPort ?? "")).toBe(true);
});

test("of a range the first port is taken that neither a container nor a program has", async () => {
  const listener = Daemon.start(
    lab.inHost("busybox", "nc", "-l", "-p", "18401"),
    join(lab.directory, "listener.log"),
  );
  lab.defer("stop the listener", () => listener.stop());
  await waitUntil(async () => (await lab.host(["ss", "-ltn"])).includes(":18401 "), 10_000);
  const range = ["--network", "front", "-p", "18400-18403:80"];
  const names = [own("first"), own("second"), own("third")];
  const outcomes = [];
  for (const name of names) outcomes.push(await create(name, ...range));
  const taken = [];
  for (const name of names.slice(0, 2)) taken.push((await portsOf(name))["80/tcp"]?.[0]?.HostPort);
  expect([outcomes.map(({ status }) => status), taken]).toEqual([
    [0, 0, 0],
    ["18400", "18402"],
  ]);
  expect(await create(own("fourth"), ...range)).toMatchObject({
    status: 3,
    stderr: `fairlead: published port "18400-18403:80": every tcp port from 18400 to 18403 is taken\n`,
  });
});

test("many that ask for any port at once all get one, each its own", async () => {
  const names = Array.from({ length: 4 }, (_, index) => own(`any${index}`));
  const outcomes = await Promise.all(
    names.map((name) => create(name, "--network", "back", "-p", "18500-18507:80")),
  );
  expect(outcomes.map(({ status, stderr }) => [status, stderr])).toEqual(names.map(() => [0, ""]));
  const ports = await Promise.all(names.map(async (name) => (await portsOf(name))["80/tcp"]?.[0]?.HostPort));
  expect(new Set(ports).size).toBe(names.length);
});

test("exposed ports are shown, and published with -P", async () => {
  const [shown, all] = [own("shown"), own("all")];
  await create(shown, "--network", "front", "--expose", "80", "--expose", "90-91/udp");
  expect(await portsOf(shown)).toEqual({ "80/tcp": null, "90/udp": null, "91/udp": null });
  expect(await node.run("sandbox", "ls", "--no-trunc")).toContain("80/tcp 90/udp 91/udp");
  await create(all, "--network", "front", "-P", "--expose", "80-81", "-p", "18600:81");
  const ports = await portsOf(all);
  expect(ports["81/tcp"]).toEqual([{ HostIp: "0.0.0.0", HostPort: "18600" }]);
  expect(ports["80/tcp"]).toHaveLength(1);
  expect((await create(own("none"), "-P")).stderr).toContain("--publish-all: there is nothing to publish");
});

test("ports go to the network with the default route, whatever the order", async () => {
  const [mixed, prior] = [own("mixed"), own("prior")];
  await create(mixed, "--network", "inner", "--network", "front", "-p", "18701:80");
  await create(prior, "--network", "front", "--network", "back,gw-priority=5", "-p", "18702:80");
  for (const name of [mixed, prior]) await serve(name);
  for (const port of ["18701", "18702"]) expect([port, await loads(port)]).toEqual([port, true]);
  const elements = await lab.host(["nft", "list", "table", "inet", "fairlead"]);
  expect(elements).toMatch(/18701 comment "front\//);
  expect(elements).toMatch(/18702 comment "back\//);
});

test.each([
  [["--network", "inner", "-p", "18801:80"], 2, "ports cannot be published on inner: nobody outside reaches"],
  [["--network", "none", "-p", "18801:80"], 2, "conflicting options: port publishing and the network none"],
  [
    ["-p", "192.0.2.200:18801:80", "--network", "front"],
    2,
    "this host does not have the address 192.0.2.200",
  ],
  [["-p", "[::1]:18801:80", "--network", "front"], 2, "network front: --publish: a port of ::1 cannot lead"],
])("%j is refused", async (options, expected, message) => {
  const { status, stderr, stdout } = await create(own("refused"), ...options);
  expect([status, stdout, stderr]).toEqual([expected, "", expect.stringContaining(message)]);
  expect((await node.try("sandbox", "inspect", own("refused"))).status).toBe(4);
});

test("a conflict names the container that has the port, by its name", async () => {
  const holder = own("holder");
  await create(holder, "--network", "front", "-p", "127.0.0.1:18901:80");
  for (const port of ["127.0.0.1:18901:80", "18901:80"]) {
    const { status, stderr } = await create(own("late"), "--network", "back", "-p", port);
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining(`container ${holder} (interface eth0, network front)`),
    ]);
    expect(stderr).not.toMatch(/[0-9a-f]{64}|runtimeConfig|delegate|DEL/);
  }
});
