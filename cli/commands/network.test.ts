import { FairleadError } from "../../lib/errors.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { ADMIN } from "../../test/support/ipam/ipam-fixture.ts";
import { openTestService, type TestService } from "../../test/support/ipam/ipam-fronts.ts";
import type { Io } from "../base/io.ts";
import { main } from "../main.ts";

/** The command line before a service in memory, and an agent that says what it is told to. */
class Bench {
  problems: AgentProblem[] = [];
  agentError: FairleadError | null = null;
  syncs = 0;
  input: string[] = [];
  readonly #test: TestService;

  constructor(test: TestService) {
    this.#test = test;
  }

  get service() {
    return this.#test.service;
  }

  async run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
    const [out, err]: [string[], string[]] = [[], []];
    const io: Io = {
      out: async (text) => void out.push(text),
      err: async (text) => void err.push(text),
      columns: null,
      readLine: async () => this.input.shift() ?? null,
      connections: {
        service: () => ({ service: this.service, close: () => {} }),
        agent: () => ({
          sync: async () => {
            this.syncs++;
            if (this.agentError) throw this.agentError;
            return { revision: 1, problems: this.problems };
          },
        }),
      },
    };
    const status = await main(["network", ...argv], io);
    return { status, out: out.join(""), err: err.join("") };
  }

  async attach(networkName: string, containerId: string): Promise<void> {
    const key = { networkName, containerId, ifname: "eth0" };
    await this.service.acquire({ key, names: [`${containerId}-name`], mac: "02:00:00:00:00:01" }, ADMIN);
  }
}

let b: Bench;
beforeEach(async () => {
  b = new Bench(await openTestService());
});
afterEach(() => b.service.close());

const ID = /^[0-9a-f]{64}\n$/;

describe("create", () => {
  test("prints the ID, once this node has followed", async () => {
    const { status, out, err } = await b.run("create", "--label", "a=b", "--label", "c", "web");
    expect([status, err, b.syncs]).toEqual([0, "", 1]);
    expect(out).toMatch(ID);
    expect(await b.service.getNetwork({ name: "web" })).toMatchObject({
      labels: { a: "b", c: "" },
      driver: "bridge",
    });
  });

  test("matches addresses to subnets and passes options on", async () => {
    const argv = [
      "--subnet=10.9.0.0/24,fd00:9::/64",
      "--gateway",
      "fd00:9::fe",
      "--ip-range",
      "10.9.0.128/25",
    ];
    const more = [
      "--aux-address",
      "r=10.9.0.200",
      "--internal",
      "--attachable",
      "--ipam-opt",
      "max-attachments=5",
    ];
    expect(await b.run("create", ...argv, ...more, "web")).toMatchObject({ status: 0, err: "" });
    const network = await b.service.getNetwork({ name: "web" });
    expect(network).toMatchObject({ internal: true, attachable: true, ipv6: true, maxAttachments: 5 });
    expect(network.pools.flatMap(({ subnets }) => subnets)).toMatchObject([
      {
        subnet: "10.9.0.0/24",
        ipRange: "10.9.0.128/25",
        gatewayGiven: false,
        auxAddresses: { r: "10.9.0.200" },
      },
      { subnet: "fd00:9::/64", gateway: "fd00:9::fe", gatewayGiven: true },
    ]);
  });

  test.each([
    [["web"], "network with name web already exists"],
    [["bridge"], "operation is not permitted on predefined bridge network"],
    [["default"], "operation is not permitted on predefined default network"],
    [[""], "network name cannot be empty"],
    [
      ["--subnet", "10.1.0.0/16", "x"],
      "Pool overlaps with other one on this address space; network web has 10.1.2.0/24",
    ],
    [["--gateway", "10.1.2.1", "x"], "every ip-range or gateway must have a corresponding subnet"],
    [["-d", "nope", "x"], 'plugin "nope" not found; use one of bridge'],
    [["--ipam-driver", "nope", "x"], 'plugin "nope" not found'],
    [["--ipam-opt", "a=b", "x"], 'IPAM option "a" is not known'],
    [["--scope", "swarm", "x"], "cannot create a swarm scoped network when swarm is not active"],
    [["--config-only", "x"], "--config-only, --config-from: there is no swarm"],
    [["--ingress", "x"], "--ingress: there is no swarm"],
    [["--ipv4=false", "x"], "--ipv4=false: name the IPv6 subnet"],
    [["--ipv4=false", "--subnet", "10.8.0.0/24", "x"], "conflicting options: --ipv4=false and --subnet 10.8"],
    [
      ["-d", "macvlan", "-o", "parent=nosuch0", "x"],
      "parent nosuch0: there is no such interface on this node",
    ],
    [
      ["-d", "macvlan", "-o", "parent=nosuch0.7", "x"],
      "parent nosuch0.7: there is no such interface on this node; make it with: ip link add link nosuch0 name nosuch0.7 type vlan id 7",
    ],
    [["--label", "a\n6.6.6.6\tbank", "--gateway", "10.1.2.1\nx", "x"], "every ip-range or gateway"],
    [["-d", "nope\u001b[2J", "x"], "plugin"],
  ])("%j is refused with status 1", async (argv, text) => {
    await b.run("create", "--subnet", "10.1.2.0/24", "web");
    const { status, out, err } = await b.run("create", ...argv);
    expect([status, out]).toEqual([1, ""]);
    expect(err).toMatch(/^fairlead: [^\n]*\n$/);
    expect(err).toContain(`fairlead: ${text}`);
  });

  test.each([
    [["--bogus", "x"], 125, "unknown flag: --bogus"],
    [["--internal=maybe", "x"], 125, 'invalid argument "maybe" for "--internal" flag'],
    [[], 1, '"fairlead network create" requires exactly 1 argument.'],
  ])("%j makes no sense", async (argv, expected, text) => {
    const { status, err } = await b.run("create", ...argv);
    expect([status, err]).toEqual([expected, expect.stringContaining(`fairlead: ${text}`)]);
    expect(err).toContain("See 'fairlead network create --help'.\n");
  });

  test("no agent is a warning; a problem of this network takes it back", async () => {
    b.agentError = new FairleadError({ code: "unavailable", operation: "sync", reason: "nobody" });
    expect(await b.run("create", "web")).toMatchObject({
      status: 0,
      out: expect.stringMatching(ID),
      err: expect.stringMatching(/^fairlead: warning: no agent runs on this node/),
    });
    b.agentError = null;
    b.problems = [
      { severity: "error", object: "db", message: "bridge fl-1 exists and is not ours" },
      { severity: "error", object: "other", message: "nothing to do with it" },
    ];
    expect(await b.run("create", "db")).toEqual({
      status: 1,
      out: "",
      err: "fairlead: network db cannot be made on this node: bridge fl-1 exists and is not ours\n",
    });
    expect((await b.service.listNetworks()).map(({ name }) => name)).not.toContain("db");
  });

  test("with IPv4 beside IPv6 subnets, unless it is switched off", async () => {
    expect(await b.run("create", "--subnet", "fd00:8::/64", "web")).toMatchObject({ status: 0 });
    const families = (await b.service.getNetwork({ name: "web" })).pools.map(({ family }) => family);
    expect(families.sort()).toEqual([4, 6]);
  });

  test("with IPv6 alone out of the default pools", async () => {
    expect(await b.run("create", "--ipv4=false", "--ipv6", "web")).toMatchObject({ status: 0 });
    expect((await b.service.getNetwork({ name: "web" })).pools.map(({ family }) => family)).toEqual([6]);
  });

  test("without IPv4 where there is an IPv6 subnet", async () => {
    expect(await b.run("create", "--ipv4=false", "--subnet", "fd00:8::/64", "web")).toMatchObject({
      status: 0,
    });
    expect((await b.service.getNetwork({ name: "web" })).pools.map(({ family }) => family)).toEqual([6]);
  });

  test("as JSON", async () => {
    expect(JSON.parse((await b.run("create", "--json", "web")).out)).toMatchObject({ name: "web" });
  });
});

describe("ls", () => {
  test("columns, order, IDs and formats", async () => {
    for (const name of ["net10", "net2"]) await b.run("create", name);
    const { id } = await b.service.getNetwork({ name: "net2" });
    const custom = ["ls", "-f", "type=custom"];
    expect((await b.run(...custom)).out).toMatch(
      /^NETWORK ID {5}NAME {6}DRIVER {4}SCOPE\n[0-9a-f]{12} {3}net2 {6}bridge {4}local\n[0-9a-f]{12} {3}net10 /,
    );
    expect((await b.run(...custom, "-q")).out.split("\n")[0]).toBe(id.slice(0, 12));
    expect((await b.run(...custom, "-q", "--no-trunc")).out.split("\n")[0]).toBe(id);
    expect((await b.run(...custom, "--format", "{{.Name}} {{.Internal}}")).out).toBe(
      "net2 false\nnet10 false\n",
    );
    expect((await b.run(...custom, "--format", "table {{.Name}}\\t{{.Driver}}")).out).toBe(
      "NAME      DRIVER\nnet2      bridge\nnet10     bridge\n",
    );
    expect(JSON.parse((await b.run(...custom, "-f", "name=net2", "--format", "json")).out)).toMatchObject({
      ID: id.slice(0, 12),
      IPv6: "false",
      Labels: "",
    });
    expect(JSON.parse((await b.run(...custom, "--json")).out).networks).toHaveLength(2);
  });

  test.each([
    [["-f", "bogus=x"], 1, "Invalid filter 'bogus'"],
    [
      ["-f", "bogus"],
      125,
      'invalid argument "bogus" for "-f, --filter" flag: bad format of filter (expected name=value)',
    ],
    [["--format", "{{.ID"], 1, "template parsing error: template: :1: unclosed action"],
    [["extra"], 1, '"fairlead network ls" accepts no arguments.'],
  ])("%j is refused", async (argv, expected, text) => {
    const { status, out, err } = await b.run("ls", ...argv);
    expect([status, out, err]).toEqual([expected, "", expect.stringContaining(`fairlead: ${text}`)]);
  });

  test("is also called list", async () => {
    expect((await b.run("list")).out).toMatch(/^NETWORK ID/);
  });
});

describe("inspect", () => {
  test("Docker's keys in Docker's order, with containers", async () => {
    await b.run("create", "--subnet", "10.1.0.0/24", "-o", "com.docker.network.driver.mtu=1400", "web");
    await b.attach("web", "c1");
    const { status, out, err } = await b.run("inspect", "web");
    expect([status, err]).toEqual([0, ""]);
    const [network] = JSON.parse(out);
    expect(Object.keys(network)).toEqual([
      "Name",
      "Id",
      "Created",
      "Scope",
      "Driver",
      "EnableIPv6",
      "IPAM",
      "Internal",
      "Attachable",
      "Ingress",
      "ConfigFrom",
      "ConfigOnly",
      "Containers",
      "Options",
      "Labels",
    ]);
    expect(network.IPAM).toEqual({ Driver: "default", Options: {}, Config: [{ Subnet: "10.1.0.0/24" }] });
    expect(network.Containers).toEqual({
      c1: {
        Name: "c1-name",
        EndpointID: expect.stringMatching(/^[0-9a-f]{64}$/),
        MacAddress: "02:00:00:00:00:01",
        IPv4Address: "10.1.0.2/24",
        IPv6Address: "",
      },
    });
  });

  test("by ID, by the beginning of an ID, several, and what is not there", async () => {
    await b.run("create", "web");
    const { id } = await b.service.getNetwork({ name: "web" });
    expect((await b.run("inspect", "-f", "{{.Name}}", id, id.slice(0, 5))).out).toBe("web\nweb\n");
    expect(await b.run("inspect", "nosuch")).toEqual({
      status: 1,
      out: "[]\n",
      err: "fairlead: No such network: nosuch\n",
    });
    const { status, out, err } = await b.run("inspect", "web", "nosuch");
    expect([status, JSON.parse(out).length, err]).toEqual([1, 1, "fairlead: No such network: nosuch\n"]);
  });

  test("as JSON in one line, and as JSON of the service", async () => {
    await b.run("create", "--subnet", "10.1.0.0/24", "web");
    await b.attach("web", "c1");
    const whole = (await b.run("inspect", "web")).out;
    const { out } = await b.run("inspect", "-f", "json", "web");
    expect([out.split("\n").length, JSON.parse(out)]).toEqual([2, JSON.parse(whole)]);
    const json = JSON.parse((await b.run("inspect", "--json", "web")).out);
    expect(json.networks).toMatchObject([{ name: "web", endpoints: [{ containerId: "c1" }] }]);
    expect(await b.run("inspect", "--json", "-f", "{{.Name}}", "web")).toMatchObject({
      status: 1,
      err: "fairlead: conflicting options: --json and --format; give one\n",
    });
  });

  test("templates that cannot be read have status 64", async () => {
    expect(await b.run("inspect", "-f", "{{.Name", "web")).toMatchObject({ status: 64, out: "" });
  });
});

describe("rm", () => {
  test("goes on after what cannot be removed", async () => {
    for (const name of ["a", "b", "used"]) await b.run("create", name);
    await b.attach("used", "c1");
    const { id } = await b.service.getNetwork({ name: "used" });
    b.syncs = 0;
    expect(await b.run("rm", "a", "nosuch", "used", "b")).toEqual({
      status: 1,
      out: "a\nb\n",
      err: `fairlead: No such network: nosuch\nfairlead: error while removing network: network used id ${id} has active endpoints: c1-name\n`,
    });
    expect(b.syncs).toBe(1);
  });

  test("--force does not mind what is not there; --json tells all", async () => {
    expect(await b.run("rm", "-f", "nosuch")).toEqual({ status: 0, out: "", err: "" });
    const { status, out } = await b.run("remove", "--json", "nosuch");
    expect([status, JSON.parse(out)]).toEqual([
      1,
      {
        removed: [],
        errors: [{ network: "nosuch", message: "No such network: nosuch", code: "not-found" }],
      },
    ]);
  });
});

describe("prune", () => {
  test("asks, and removes what nobody uses", async () => {
    for (const name of ["net10", "net2", "used"]) await b.run("create", name);
    await b.attach("used", "c1");
    b.input = ["n"];
    expect(await b.run("prune")).toEqual({ status: 0, out: expect.stringMatching(/\[y\/N\] $/), err: "" });
    expect(await b.run("prune")).toMatchObject({ status: 0, out: expect.stringMatching(/\[y\/N\] $/) });
    b.input = ["Y"];
    expect((await b.run("prune")).out).toMatch(/\[y\/N\] Deleted Networks:\nnet2\nnet10\n\n$/);
    expect(await b.run("prune", "-f")).toEqual({ status: 0, out: "", err: "" });
    expect((await b.service.listNetworks()).map(({ name }) => name)).toContain("used");
  });

  test("wrong filters are told before anybody is asked", async () => {
    expect(await b.run("prune", "--filter", "until=bogus")).toEqual({
      status: 1,
      out: "",
      err: 'fairlead: failed to parse value as time or duration: "bogus"\n',
    });
  });
});

test("the group without a command and with a wrong one: Docker's exit statuses", async () => {
  expect(await b.run()).toMatchObject({ status: 0, out: "", err: expect.stringContaining("Commands:\n") });
  expect(await b.run("bogus")).toMatchObject({ status: 1, out: "" });
  expect(await b.run("--help")).toMatchObject({ status: 0, err: "" });
});
