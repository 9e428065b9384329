/**
 * Names under load, with the built executable: no query is lost while containers come and go, released addresses are
 * not answered, stalled connections and damaged messages hurt nobody else. Needs root.
 *
 * Times are printed, not asserted: bench/dns.ts measures them on a quiet machine.
 */
import { performance } from "node:perf_hooks";
import { ANSWER_TTL_SECONDS } from "../../agent/dns/answer/reply.ts";
import { type Attached, CALLER, DnsLab, type LoadResult } from "../support/dns/dns-lab.ts";
import { mutatedMessages } from "../support/dns/dns-mutations.ts";

jest.setTimeout(180_000);

const GATEWAY = "10.61.0.1";
const BACK = "10.62.0.1";
const ROUNDS = 10_000;
/** Acquired at once. */
const BATCH = 50;
const FUZZED = 30_000;

let lab: DnsLab;
let asker: Attached;
let other: Attached;

beforeAll(async () => {
  lab = await DnsLab.open("dnsload");
  await lab.createNetwork("frontend", ["10.61.0.0/16"]);
  asker = await lab.attach("frontend", "asker");
  other = await lab.attach("frontend", "other");
});
afterAll(() => lab?.close());

const keyOf = (containerId: string) => ({ networkName: "frontend", containerId, ifname: "eth0" });
const acquire = (containerId: string) =>
  lab.under.service.acquire({ key: keyOf(containerId), names: [containerId, "many"] }, CALLER);
const release = (containerId: string) => lab.under.service.release({ key: keyOf(containerId) }, CALLER);

test(`${ROUNDS} adds and removes: every query is answered, and rightly`, async () => {
  const load = lab.client(asker, "load", GATEWAY, "170", "8", "other", "asker");
  const began = performance.now();
  for (let round = 0; round < ROUNDS; round += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, index) => `c${round + index}`);
    await Promise.all(batch.map(acquire));
    await Promise.all(batch.map(release));
    if (round % 1_000 === 0) {
      await lab.createNetwork(`n${round}`, [`10.${100 + round / 1_000}.0.0/24`]);
      await lab.removeNetwork(`n${round}`);
    }
  }
  await lab.under.agent.sync();
  const seconds = (performance.now() - began) / 1000;
  const result = await load.end<LoadResult>();
  console.log(`${ROUNDS} adds and removes in ${seconds.toFixed(1)} s:`, JSON.stringify(result));
  expect(result).toMatchObject({ lost: 0, negative: 0 });
  expect(result.sent).toBeGreaterThan(1_000);
  expect(await lab.dig(asker, GATEWAY, "many")).toEqual(["NXDOMAIN"]);
  expect((await lab.status()).figures).toMatchObject({ attachments: 2 });
});

test("a released address is not answered any more, by the time that the agent is in step", async () => {
  for (let round = 0; round < 20; round++) {
    await acquire("brief");
    await lab.under.agent.sync();
    expect(await lab.dig(asker, GATEWAY, "brief")).toHaveLength(1);
    await release("brief");
    await lab.under.agent.sync();
    expect(await lab.dig(asker, GATEWAY, "brief")).toEqual(["NXDOMAIN"]);
  }
  // Resolvers may keep an answer that was given just before for as long.
  const { stdout } = await lab.exec(asker, "dig", `@${GATEWAY}`, "+noall", "+answer", "other");
  expect(Number(stdout.split(/\s+/)[1])).toBe(ANSWER_TTL_SECONDS);
});

test.each([[], ["again"]])(
  "1,000 stalled TCP clients %s: all other queries are answered",
  async (...again) => {
    const quiet = await lab.client(other, "load", GATEWAY, "3", "4", "asker").result<LoadResult>();
    const stalled = lab.client(asker, "stall", GATEWAY, "1000", ...again);
    expect(await stalled.line()).toBe("stalled");
    const busy = await lab.client(other, "load", GATEWAY, "5", "4", "asker").result<LoadResult>();
    expect(await lab.dig(other, GATEWAY, "+tcp", "asker")).toEqual(asker.addresses);
    if (again.length === 0) {
      // From the very container that holds them, too.
      expect(await lab.dig(asker, GATEWAY, "+tcp", "other")).toEqual(other.addresses);
    }
    const { figures } = await lab.status();
    const ended = JSON.stringify(await stalled.end());
    console.log("quiet:", JSON.stringify(quiet), "1,000 stalled:", JSON.stringify(busy), ended);
    expect(busy).toMatchObject({ lost: 0, negative: 0 });
    expect(quiet).toMatchObject({ lost: 0, negative: 0 });
    expect(figures["connections"]).toBeLessThanOrEqual(64);
  },
);

test("a container that floods its gateway keeps neither another network's names nor its own network's from others", async () => {
  await lab.createNetwork("backend", ["10.62.0.0/24"]);
  const neighbour = await lab.attach("backend", "neighbour");
  const flood = lab.client(asker, "flood", GATEWAY);
  expect(await flood.line()).toBe("flooding");
  const elsewhere = await lab.client(neighbour, "load", BACK, "5", "1", "neighbour").result<LoadResult>();
  // Datagrams may be lost where they wait for the same socket; whoever asks again gets an answer.
  expect(await lab.dig(other, GATEWAY, "+tries=20", "+time=1", "other")).toEqual(other.addresses);
  expect(await lab.dig(other, GATEWAY, "+tcp", "other")).toEqual(other.addresses);
  const { sent } = await flood.end<{ sent: number }>();
  console.log(`during a flood of ${sent}:`, JSON.stringify(elsewhere));
  expect(elsewhere).toMatchObject({ lost: 0, negative: 0 });
  await neighbour.detach();
  await lab.removeNetwork("backend");
});

test(`${FUZZED} damaged messages over UDP and TCP: it goes on answering`, async () => {
  const lines = [...mutatedMessages(4711, FUZZED)].map((bytes) => Buffer.from(bytes).toString("hex"));
  const file = lab.under.lab.file("corpus.hex", lines.join("\n"));
  const before = await lab.under.agent.status();
  // Datagrams may be lost in the kernel's queues beside so many others; whoever asks again gets an answer.
  const load = lab.client(other, "insist", GATEWAY, "170", "asker");
  const { sent } = await lab.client(asker, "fuzz", GATEWAY, file).result<{ sent: number }>();
  const result = await load.end<LoadResult>();
  console.log("during the damaged messages:", JSON.stringify(result));
  expect(sent).toBe(FUZZED);
  expect(result).toMatchObject({ lost: 0, negative: 0 });
  expect(result.answered).toBeGreaterThan(10);
  expect(await lab.dig(asker, GATEWAY, "other")).toEqual(other.addresses);
  expect(await lab.dig(other, GATEWAY, "+tcp", "asker")).toEqual(asker.addresses);
  // The same process as before.
  expect((await lab.under.agent.status()).startedAt).toBe(before.startedAt);
  expect((await lab.status()).figures["malformed"]).toBeGreaterThan(FUZZED / 10);
});
