/**
 * Names over restarts of the agent: containers that look names up all the while notice nothing. Needs root.
 *
 * One asks by glibc, whose socket is told when nobody listens, and whose lookup then fails; the other asks each question once
 * over UDP, and counts those without an answer.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Attached, DnsLab, type LoadResult } from "../support/dns/dns-lab.ts";
import { hasEnded, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

const GATEWAY = "10.61.0.1";
/** A restart takes no longer. */
const AWAY_MS = 2_000;

let lab: DnsLab;
let asker: Attached;
let other: Attached;

beforeAll(async () => {
  lab = await DnsLab.open("restart");
  await lab.createNetwork("frontend", ["10.61.0.0/24"]);
  asker = await lab.attach("frontend", "asker");
  other = await lab.attach("frontend", "other");
});
afterAll(() => lab?.close());

interface Lookups {
  readonly done: number;
  readonly failures: readonly string[];
}

const LOOK_UP = `import json,os,socket,sys
done,failures=0,[]
while not os.path.exists(sys.argv[1]):
  for name in ("other","www.example.com"):
    try: socket.getaddrinfo(name,80,socket.AF_INET)
    except OSError as error: failures.append(f"{name}: {error}")
    done+=1
print(json.dumps({"done":done,"failures":failures}))`;

let rounds = 0;

/** Looks names up by both kinds of client while `action` runs. */
async function during(action: () => Promise<void>): Promise<{ glibc: Lookups; once: LoadResult }> {
  const end = join(lab.under.lab.directory, `end-${rounds++}`);
  const resolvConf = `nameserver ${GATEWAY}\noptions ndots:0\n`;
  const glibc = lab.withResolvConf(asker, resolvConf, "python3", "-c", LOOK_UP, end);
  const once = lab.client(other, "load", GATEWAY, "60", "2", "asker", "other");
  try {
    await action();
  } finally {
    writeFileSync(end, "");
  }
  const { stdout, stderr } = await glibc;
  if (stdout === "") throw new Error(stderr);
  return { glibc: JSON.parse(stdout) as Lookups, once: await once.end<LoadResult>() };
}

const figures = async () => (await lab.status()).figures;
const namesPid = async () => (await figures())["pid"] ?? 0;
const away = () => new Promise((resolve) => setTimeout(resolve, AWAY_MS));

test.each([
  ["told to end", () => lab.under.stopAgent()],
  ["killed", () => lab.under.killAgent()],
])("an agent that is %s, is away for a while and comes back: no lookup fails", async (_how, stop) => {
  const before = await namesPid();
  const { glibc, once } = await during(async () => {
    await stop();
    await away();
    await lab.under.startAgent();
    await lab.under.agent.sync();
    // The process of the old agent leaves when it sees the new one in step.
    expect(await waitUntil(async () => hasEnded(before), 20_000)).toBe(true);
  });
  expect(glibc).toMatchObject({ failures: [] });
  expect(once).toMatchObject({ lost: 0, negative: 0 });
  expect(Math.min(glibc.done, once.sent)).toBeGreaterThan(0);
  expect(await namesPid()).not.toBe(before);
});

test("what is attached after a restart is known, and the ports of names are still kept", async () => {
  const late = await lab.attach("frontend", "late");
  expect(await lab.dig(asker, GATEWAY, "late")).toEqual(late.addresses);
  await late.detach();
  const kept = await lab.under.lab.host(["nft", "list", "set", "inet", "fairlead", "portmap-kept4"]);
  const ports = [...kept.matchAll(/(\w+) \. 10\.61\.0\.1 \. (\w+) comment "fairlead agent"/g)];
  expect(ports.map(([, protocol]) => protocol).sort()).toEqual(["tcp", "udp"]);
});

test("a process for names that dies is started again, and the agent waits for it", async () => {
  const before = await figures();
  process.kill(before["pid"] ?? 0, "SIGKILL");
  const late = await lab.attach("frontend", "late");
  // The attachment's sync has waited for the new process.
  expect(await lab.dig(asker, GATEWAY, "late")).toEqual(late.addresses);
  expect(await figures()).toMatchObject({ starts: (before["starts"] ?? 0) + 1 });
  expect(await namesPid()).not.toBe(before["pid"]);
  await late.detach();
});

test("while the agent stands still, names are answered", async () => {
  await lab.under.withoutAgent(async () => {
    expect(await lab.dig(asker, GATEWAY, "other")).toEqual(other.addresses);
    // From the service, too, what is new is learned.
    const key = { networkName: "frontend", containerId: "fresh", ifname: "eth0" };
    const { addresses } = await lab.under.service.acquire(
      { key, names: ["fresh"] },
      { actor: "test", node: "" },
    );
    const expected = addresses.map(({ address }) => address.replace(/\/.*/, ""));
    const isKnown = async () => (await lab.dig(asker, GATEWAY, "fresh"))[0] === expected[0];
    expect(await waitUntil(isKnown, 10_000)).toBe(true);
    await lab.under.service.release({ key }, { actor: "test", node: "" });
  });
});

test("without a successor names end soon, and nothing is left", async () => {
  const pid = await namesPid();
  await lab.under.stopAgent();
  expect(hasEnded(pid)).toBe(false);
  expect(await lab.dig(asker, GATEWAY, "other")).toEqual(other.addresses);
  expect(await waitUntil(async () => hasEnded(pid), 30_000)).toBe(true);
  expect(await lab.under.lab.host(["ss", "-lnuH", "src", `${GATEWAY}:53`])).toBe("");
  expect(existsSync(lab.under.agentSocket)).toBe(false);
});
