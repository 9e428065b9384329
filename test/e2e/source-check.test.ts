/**
 * Containers of the service's networks send from their own addresses alone, in IP, ARP and neighbour discovery; on a network
 * with the option off from any.
 *
 *   a: bound   b: -o com.fairlead.source_check=off        each dual-stack, with an attacker and a victim
 */
import { type IsolatedContainer, IsolationLab, pings } from "../support/lab/isolation-lab.ts";
import { inNetns } from "../support/lab/lab.ts";
import { command, tryCommand, waitUntil } from "../support/lab/lab-process.ts";
import { advertiseRouter } from "../support/traffic/router-advertisement.ts";
import { claimByAdvert, claimByArp } from "../support/traffic/spoofed-frames.ts";

jest.setTimeout(180_000);

interface Segment {
  readonly attacker: IsolatedContainer;
  readonly victim: IsolatedContainer;
  readonly gateway4: string;
  readonly gateway6: string;
}

let lab: IsolationLab;
let bound: Segment;
let open: Segment;

async function segment(name: string, number: number, options: Record<string, string>): Promise<Segment> {
  const subnets = [{ subnet: `10.${number}.0.0/24` }, { subnet: `fd00:${number}::/64` }];
  await lab.network(name, { subnets, options });
  return {
    attacker: await lab.container(`${name}1`, name),
    victim: await lab.container(`${name}2`, name),
    gateway4: `10.${number}.0.1`,
    gateway6: `fd00:${number}::1`,
  };
}

beforeAll(async () => {
  lab = await IsolationLab.open("src");
  bound = await segment("a", 81, {});
  open = await segment("b", 82, { "com.fairlead.source_check": "off" });
});
afterAll(() => lab?.close());

const inside = ({ netns }: IsolatedContainer, ...argv: string[]) => command(inNetns(netns, ...argv));
const rules = () => lab.under.lab.host(["nft", "list", "table", "bridge", "fairlead"]);

/** MAC address that a container has for a neighbour; undefined: none. */
async function neighbour(of: IsolatedContainer, address: string): Promise<string | undefined> {
  const shown = await inside(of, "ip", "-j", "neigh", "show", address, "dev", "eth0");
  return (JSON.parse(shown || "[]") as { lladdr?: string }[])[0]?.lladdr;
}

async function macOf(container: IsolatedContainer): Promise<string> {
  const shown = await inside(container, "ip", "-j", "link", "show", "eth0");
  return (JSON.parse(shown) as { address: string }[])[0]?.address ?? "";
}

/** Whether an answer comes to a question that the attacker asks from another address. */
async function answered({ attacker }: Segment, from: string, target: string): Promise<boolean> {
  const length = from.includes(":") ? 128 : 32;
  await inside(
    attacker,
    "ip",
    "addr",
    "add",
    `${from}/${length}`,
    "dev",
    "eth0",
    ...(length === 128 ? ["nodad"] : []),
  );
  try {
    const ping = ["ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-I", from, target];
    return (await tryCommand(inNetns(attacker.netns, ...ping))).status === 0;
  } finally {
    await inside(attacker, "ip", "addr", "del", `${from}/${length}`, "dev", "eth0");
  }
}

test("containers reach each other and their gateway from their own addresses", async () => {
  for (const { attacker, victim, gateway4, gateway6 } of [bound, open]) {
    for (const target of [victim.address[4], victim.address[6], gateway4, gateway6])
      expect([target, await pings(attacker.netns, target)]).toEqual([target, true]);
    expect(await pings(attacker.netns, `${victim.linkLocal}%eth0`)).toBe(true);
  }
});

test.each([4, 6] as const)("an address that was not given cannot be sent from, IPv%i", async (family) => {
  const free = (gateway: string) => gateway.replace(/1$/, "77");
  const gatewayOf = (one: Segment) => (family === 4 ? one.gateway4 : one.gateway6);
  expect(await answered(open, free(gatewayOf(open)), gatewayOf(open))).toBe(true);
  expect(await answered(bound, free(gatewayOf(bound)), gatewayOf(bound))).toBe(false);
  expect(await answered(bound, bound.victim.address[family], gatewayOf(bound))).toBe(false);
});

test("an address that was asked for by name is the container's own", async () => {
  const netns = await lab.under.lab.addContainer("named");
  const keys = { args: { cni: { ips: ["10.81.0.99"] } } };
  const { status } = await lab.plugin("ADD", "a", { name: "named", netns, keys });
  expect(status).toBe(0);
  expect(await pings(netns, bound.gateway4)).toBe(true);
});

test("another MAC address cannot be sent from", async () => {
  for (const [one, isAnswered] of [
    [open, true],
    [bound, false],
  ] as const) {
    const { attacker, gateway4 } = one;
    const mac = await macOf(attacker);
    const set = (address: string) => inside(attacker, "ip", "link", "set", "eth0", "address", address);
    await set("02:00:00:00:00:66");
    expect(await pings(attacker.netns, gateway4, isAnswered)).toBe(isAnswered);
    await set(mac);
    expect(await pings(attacker.netns, gateway4)).toBe(true);
  }
});

test("nobody takes the gateway's place in a neighbour's ARP table", async () => {
  for (const [{ attacker, victim, gateway4 }, isFooled] of [
    [open, true],
    [bound, false],
  ] as const) {
    expect(await pings(victim.netns, gateway4)).toBe(true);
    await claimByArp(attacker.netns, { claimed: gateway4, to: victim.address[4] });
    // Behind the claim, on the same way: when this is answered, that was read.
    expect(await pings(attacker.netns, victim.address[4])).toBe(true);
    expect((await neighbour(victim, gateway4)) === (await macOf(attacker))).toBe(isFooled);
  }
});

test("nor in its table of IPv6 neighbours, not even from an address of its own", async () => {
  for (const [{ attacker, victim, gateway6 }, isFooled] of [
    [open, true],
    [bound, false],
  ] as const) {
    expect(await pings(victim.netns, gateway6)).toBe(true);
    const toMac = await macOf(victim);
    for (const source of [attacker.address[6], gateway6])
      await claimByAdvert(attacker.netns, { claimed: gateway6, to: victim.address[6], toMac, source });
    expect(await pings(attacker.netns, victim.address[6])).toBe(true);
    expect((await neighbour(victim, gateway6)) === (await macOf(attacker))).toBe(isFooled);
  }
});

test("whoever asks who has an address, without having one, is answered", async () => {
  const { attacker, victim } = bound;
  const probe = [
    "import socket, struct, sys",
    "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)); s.bind(('eth0', 0)); s.settimeout(5)",
    "own = s.getsockname()[4]; to = socket.inet_aton(sys.argv[1])",
    "s.send(b'\\xff' * 6 + own + b'\\x08\\x06' + struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + own + bytes(4) + bytes(6) + to)",
    "while True:",
    "    p = s.recv(100)",
    "    if p[21] == 2 and p[28:32] == to: break",
  ].join("\n");
  await inside(attacker, "python3", "-c", probe, victim.address[4]);
});

test("router advertisements go nowhere", async () => {
  await advertiseRouter(bound.attacker.netns, "eth0");
  const dropped = async () =>
    (await rules()).match(/icmpv6 type nd-router-advert counter packets (\d+)/)?.[1];
  // It comes from a link-local address that is not the container's either; which of the two rules meets it first is told by the counter.
  expect(await waitUntil(async () => Number(await dropped()) > 0, 10_000)).toBe(true);
});

test("CHECK notices a check that is gone, and ADD mends the rules", async () => {
  const { victim } = bound;
  const keys = { prevResult: victim.result };
  expect((await lab.plugin("CHECK", "a", { ...victim, keys })).status).toBe(0);
  await lab.under.withoutAgent(async () => {
    await lab.under.lab.host(["nft", "flush", "set", "bridge", "fairlead", "source-own4"]);
    const outcome = await lab.plugin("CHECK", "a", { ...victim, keys });
    expect(outcome.stdout).toContain("source-own4 lacks what the interface may send from");
    await lab.under.lab.host(["nft", "flush", "chain", "bridge", "fairlead", "source-check"]);
    await lab.container("late", "a");
    expect(await rules()).toContain("@source-own4 accept");
  });
});

test("what was made for a container is gone when the agent looked around after its DEL", async () => {
  const gone = await lab.container("gone", "a");
  expect(await rules()).toContain(gone.address[4]);
  expect((await lab.plugin("DEL", "a", gone)).status).toBe(0);
  expect(await waitUntil(async () => !(await rules()).includes(gone.address[4]), 30_000)).toBe(true);
  expect(await rules()).toContain(bound.victim.address[6]);
});
