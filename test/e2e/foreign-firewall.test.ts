/** Firewalls of others that drop by default: names and published ports work, and what was there is as it was afterwards. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { AgentLab, CALLER } from "../support/lab/agent-lab.ts";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { HOST_IPV4, INTERNET_IPV4, Lab, netnsPath } from "../support/lab/lab.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { requireTools, tryCommand, until } from "../support/lab/lab-process.ts";
import { ask, askOnce, NO_ANSWER, startServer } from "../support/lab/port-lab.ts";

jest.setTimeout(120_000);

const own = (name: string): string => `${name}-${process.pid}`;
const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");

/** By `nft -f -`. As ufw does it, in native nftables; as firewalld's generated table ends; and a policy alone. */
const NATIVE: Readonly<Record<string, string>> = {
  "ends in drop": `table inet filter {
    chain INPUT { type filter hook input priority 0; policy accept; iif "lo" accept; ct state established,related accept; tcp dport ssh accept; counter drop; }
    chain FORWARD { type filter hook forward priority 0; policy accept; ct state { established, related } accept; counter drop; }
  }`,
  "has zones and rejects the rest": `table inet firewalld {
    chain filter_INPUT { type filter hook input priority 10; policy accept; ct state { established, related } accept; ct status dnat accept; iifname "lo" accept; ct state invalid drop; jump zones; reject with icmpx admin-prohibited; }
    chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct state { established, related } accept; iifname "lo" accept; ct state invalid drop; jump zones; reject with icmpx admin-prohibited; }
    chain zones { iifname vmap { "eth9" : accept, "eth8" : goto public }; return; }
    chain public { tcp dport 22 accept; reject; }
  }`,
  "has policies": `table inet filter {
    chain input { type filter hook input priority 0; policy drop; iif "lo" accept; ct state established,related accept; }
    chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept; }
  }`,
};

describe("firewall.accept: auto", () => {
  let lab: Lab;
  let node: FairleadNode;
  const [web, client] = [own("web"), own("client")];

  beforeAll(async () => {
    requireTools("nft", "iptables", "ip6tables", "iptables-save", "dig");
    lab = await Lab.open("foreign");
    node = await FairleadNode.start(lab);
    await node.run("network", "create", "--ipv6", "front");
    await node.run("sandbox", "create", "--network", "front", "--publish", "8080:80", web);
    await node.run("sandbox", "create", "--network", "front", client);
    await startServer(lab, `/run/netns/${web}`, { name: "web", ports: [80] });
  });

  afterAll(async () => {
    for (const name of [web, client]) await node.try("sandbox", "rm", "-f", name);
    await lab.close();
  });

  afterEach(async () => {
    for (const table of ["inet filter", "inet firewalld", "ip filter", "ip6 filter"])
      await lab
        .host(["nft", "add", "table", ...table.split(" ")])
        .then(() => lab.host(["nft", "delete", "table", ...table.split(" ")]));
  });

  async function expectEverythingWorks(): Promise<void> {
    const dig = await node.exec(client, "dig", "+time=5", "+tries=3", "+short", web);
    expect(dig.stdout).toMatch(/^10\./m);
    expect(await ask(netnsPath(lab.internetNetns), { host: HOST_IPV4, port: 8080 })).toMatch(/^web /);
    expect((await node.exec(client, "ping", "-c1", "-W2", INTERNET_IPV4)).status).toBe(0);
    expect((await node.exec(client, "ping", "-6", "-c1", "-W2", web)).status).toBe(0);
  }

  const ruleset = (): Promise<string> => lab.host(["nft", "list", "ruleset"]);
  const withoutCounters = (text: string): string =>
    text.replaceAll(/packets \d+ bytes \d+|\[\d+:\d+\]|^#.*$/gm, "");
  const foreign = async (): Promise<string> =>
    withoutCounters((await ruleset()).replaceAll(/^table (inet|bridge) fairlead \{[\s\S]*?^\}\n/gm, ""));

  test.each(Object.entries(NATIVE))(
    "a ruleset that %s lets containers through, and is as it was afterwards",
    async (_what, script) => {
      await lab.host(["nft", "-f", "-"], { input: script });
      const before = withoutCounters(script);
      expect(before).not.toContain("fairlead");
      await until(async () => (await ruleset()).includes('comment "fairlead: what containers send, fl-*"'));
      await until(async () => (await ruleset()).includes('comment "fairlead: names over UDP, fl-*"'));
      await expectEverythingWorks();
      const present = await foreign();
      await lab.host([FAIRLEAD, "agent", "--remove-rules"]);
      const left = present.split("\n").filter((line) => !line.includes('comment "fairlead: '));
      // The agent puts them back at once; what is left without them is what was there.
      expect((await foreign()).split("\n").filter((line) => !line.includes('comment "fairlead: '))).toEqual(
        left,
      );
    },
  );

  test("with br_netfilter, an icc=false network does not reach the ports it publishes, and the status says so", async () => {
    const [first, second] = [own("first"), own("second")];
    await node.run("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart");
    await node.run("sandbox", "create", "--network", "apart", "--publish", "8081:80", first);
    await node.run("sandbox", "create", "--network", "apart", second);
    await startServer(lab, `/run/netns/${first}`, { name: "first", ports: [80] });
    const agentConfig = join(lab.directory, "agent.yaml");
    writeFileSync(agentConfig, `socket: ${node.agentSocket}\n`);
    const question = { host: HOST_IPV4, port: 8081 };
    const askAs = (name: string): Promise<string> => askOnce(`/run/netns/${name}`, question);
    for (const isOn of [true, false]) {
      await lab.host(["sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${isOn ? 1 : 0}`]);
      const status = await tryCommand(
        lab.inHost(FAIRLEAD, "agent", "--status", "--json", "--config", agentConfig),
      );
      const says = expect.stringContaining("network apart has icc=false, and br_netfilter is on");
      expect(status.stdout).toEqual(isOn ? says : expect.not.stringContaining("br_netfilter"));
      for (const name of [first, second]) expect(await askAs(name)).toMatch(isOn ? NO_ANSWER : /^first /);
      // Never each other; the rest always.
      expect(await ask(netnsPath(lab.internetNetns), question)).toMatch(/^first /);
      expect(await ask(`/run/netns/${client}`, question)).toMatch(/^first /);
      expect((await node.exec(second, "ping", "-c1", "-W1", first)).status).not.toBe(0);
      expect((await node.exec(second, "ping", "-c1", "-W2", INTERNET_IPV4)).status).toBe(0);
    }
    for (const name of [first, second]) await node.run("sandbox", "rm", "-f", name);
    await node.run("network", "rm", "apart");
  });

  async function saved(): Promise<string[]> {
    const texts = [
      await lab.host(["iptables-save", "-t", "filter"]),
      await lab.host(["ip6tables-save", "-t", "filter"]),
    ];
    return withoutCounters(texts.join("")).split("\n");
  }

  test("chains of iptables are opened in words that iptables lists, kept open over a flush, and closed as they were", async () => {
    for (const program of ["iptables", "ip6tables"]) {
      await lab.host([program, "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"]);
      await lab.host([
        program,
        "-A",
        "INPUT",
        "-m",
        "conntrack",
        "--ctstate",
        "RELATED,ESTABLISHED",
        "-j",
        "ACCEPT",
      ]);
      await lab.host([
        program,
        "-A",
        "FORWARD",
        "-m",
        "conntrack",
        "--ctstate",
        "RELATED,ESTABLISHED",
        "-j",
        "ACCEPT",
      ]);
    }
    const before = await saved();
    for (const program of ["iptables", "ip6tables"])
      for (const chain of ["INPUT", "FORWARD"]) await lab.host([program, "-P", chain, "DROP"]);
    const isOpen = async (): Promise<boolean> => {
      const lines = await saved();
      return (
        // Of both families: what goes over a bridge passes their chains, too, where br_netfilter is on.
        lines.filter((line) =>
          line.startsWith("-A FORWARD -o fl-+ -m conntrack --ctstate RELATED,ESTABLISHED,DNAT"),
        ).length === 2 &&
        lines.some((line) => line.startsWith("-A INPUT -i fl-+ -p udp -m udp --dport 53")) &&
        lines.some((line) => line.startsWith("-A INPUT -i fl-+ -p ipv6-icmp -m icmp6 --icmpv6-type 135"))
      );
    };
    await until(isOpen);
    await expectEverythingWorks();
    await lab.host(["iptables", "-F"]);
    await until(isOpen);
    await expectEverythingWorks();
    await lab.host(["iptables", "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"]);
    await lab.host([
      "iptables",
      "-A",
      "INPUT",
      "-m",
      "conntrack",
      "--ctstate",
      "RELATED,ESTABLISHED",
      "-j",
      "ACCEPT",
    ]);
    await lab.host([
      "iptables",
      "-A",
      "FORWARD",
      "-m",
      "conntrack",
      "--ctstate",
      "RELATED,ESTABLISHED",
      "-j",
      "ACCEPT",
    ]);
    for (const program of ["iptables", "ip6tables"])
      for (const chain of ["INPUT", "FORWARD"]) await lab.host([program, "-P", chain, "ACCEPT"]);
    // Nothing drops any more, so nothing needs to be let through.
    await until(async () => !(await saved()).some((line) => line.includes("fairlead")));
    expect(await saved()).toEqual(before);
  });
});

describe("firewall.accept: off", () => {
  let under: AgentLab;
  beforeAll(async () => {
    under = await AgentLab.open("foreign-off", { workers: 0, firewall: { accept: "off" } });
    await under.startServer();
    await under.startAgent();
    await under.service.createNetwork({ name: "web" }, CALLER);
    await under.agent.sync();
  });
  afterAll(() => under?.close());

  const problems = async (): Promise<readonly AgentProblem[]> =>
    (await under.agent.status()).parts.flatMap((part) => part.problems);

  test("a chain that drops is left alone, and named at once with the lines that would help", async () => {
    const script =
      "table inet mine { chain in { type filter hook input priority 0; policy accept; iif lo accept; drop; }; }";
    await under.lab.host(["nft", "-f", "-"], { input: script });
    expect(await problems()).toEqual([
      {
        severity: "error",
        object: "chain inet mine in",
        message: expect.stringContaining(`nft insert rule inet mine in 'iifname "fl-*" udp dport 53 accept'`),
      },
    ]);
    const shown = await under.lab.host(["nft", "list", "table", "inet", "mine"]);
    expect(shown).not.toContain("fairlead");
    // Exactly as it was said.
    for (const protocol of ["udp", "tcp"])
      await under.lab.host([
        "nft",
        "insert",
        "rule",
        "inet",
        "mine",
        "in",
        "iifname",
        '"fl-*"',
        protocol,
        "dport",
        "53",
        "accept",
      ]);
    expect(await problems()).toEqual([]);
    await under.lab.host(["nft", "delete", "table", "inet", "mine"]);
  });

  test("one of iptables is named with lines for iptables, and with br_netfilter where that is on", async () => {
    await under.lab.host(["iptables", "-P", "FORWARD", "DROP"]);
    await under.lab.host(["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"]);
    const [problem] = await problems();
    expect(problem).toMatchObject({ severity: "error", object: "chain ip filter FORWARD" });
    expect(problem?.message).toContain(
      "br_netfilter is on, so containers of one network do not reach each other",
    );
    expect(problem?.message).toContain("iptables -I FORWARD -i fl-+ -j ACCEPT");
    expect(problem?.message).toContain("--ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT");
    await under.lab.host(["iptables", "-A", "FORWARD", "-m", "limit", "--limit", "1/s", "-j", "ACCEPT"]);
    expect((await problems())[0]).toMatchObject({ severity: "warning" });
    await under.lab.host(["iptables", "-P", "FORWARD", "ACCEPT"]);
    expect(await problems()).toEqual([]);
  });
});
