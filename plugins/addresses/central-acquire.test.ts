import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAddress } from "../../lib/addr/address.ts";
import type { Json, JsonObject } from "../../lib/cni/json.ts";
import { EMPTY_DNS } from "../../lib/cni/result.ts";
import { bootId } from "../../lib/linux/processes/machine.ts";
import type { beginExchange } from "../../lib/linux/sockets/stream-socket.ts";
import {
  ATTEMPT,
  centralOf,
  done,
  granted,
  INSTANT,
  leased,
  lost,
  refused,
  released,
  type ScriptedAnswer,
  useScriptedIpam,
} from "../../test/support/plugins/scripted-ipam.ts";
import type { ReleaseIfGone } from "./gone-holder.ts";
import { writeReleaseIntent } from "./release-intents.ts";

const mockScene = useScriptedIpam();
jest.mock("../../lib/linux/sockets/stream-socket.ts", () => ({
  beginExchange: (...asked: Parameters<typeof beginExchange>) => mockScene.service.begin(...asked),
}));

const NETWORK = "central-ipam-test";
const key = { networkName: NETWORK, containerId: "c1", ifname: "eth0" };
const MAC = "02:00:00:00:00:01";
const CLAIM = { address: parseAddress("10.1.0.2"), mac: "02:00:00:00:00:99" };

const central = centralOf(mockScene, NETWORK);

const RANGE = { subnet: "10.1.0.0/24" };

const inUse = (more: object = {}) => {
  const holder = { state: "bound", address: "10.1.0.2", containerId: "old", ifname: "eth0", sequence: 7 };
  return refused("address-in-use", {
    details: { ...holder, node: "n1", bootId: "b", mac: MAC, ...more },
  });
};

describe("acquire", () => {
  test("says what the network declares, what the interface is, and nothing else", () => {
    mockScene.service.answers(granted());
    central(RANGE).beginAcquire(key, MAC).finish();
    const declaration = { rangeSets: [[RANGE]] };
    const asked = {
      key,
      attempt: ATTEMPT,
      bootId: bootId(),
      declaration,
      canSurvey: true,
      names: ["c1"],
      mac: MAC,
    };
    expect(mockScene.service.asked).toStrictEqual([["attachments/acquire", asked]]);
    expect(mockScene.service.limits).toEqual([[join(mockScene.directory, "socket"), 10_000]]);
  });

  test("says what was asked for, where nothing is declared and nobody makes an interface", () => {
    mockScene.service.answers(granted());
    const full = { ...key, containerId: "ab".repeat(32) };
    const args = { cni: { names: ["web"] } };
    const runtimeConfig = { ips: ["10.1.0.2/24"] };
    central({ timeoutSeconds: 3 }, { args, runtimeConfig }).beginAcquire(full).finish();
    const wished = { requestedAddresses: ["10.1.0.2"], names: ["web"], stickyName: "web" };
    const asked = { key: full, attempt: ATTEMPT, bootId: bootId(), ...wished };
    expect(mockScene.service.asked).toStrictEqual([["attachments/acquire", asked]]);
    expect(mockScene.service.limits).toEqual([[expect.any(String), 3000]]);
  });

  test("has no names for a container that nobody has named", () => {
    mockScene.service.answers(granted());
    central()
      .beginAcquire({ ...key, containerId: "ab".repeat(32) })
      .finish();
    expect(mockScene.service.asked[0]?.[1]).not.toHaveProperty("names");
  });

  test("has another name each time", () => {
    mockScene.service.answers(granted(), granted());
    const service = central();
    service.beginAcquire(key).finish();
    service.beginAcquire(key).finish();
    expect(mockScene.service.attemptAt(0)).not.toBe(mockScene.service.attemptAt(1));
  });

  test("answers addresses, the configuration's routes and the resolver's file", () => {
    const resolvConf = join(mockScene.directory, "resolv.conf");
    writeFileSync(resolvConf, "nameserver 192.0.2.53\n");
    mockScene.service.answers(granted([leased("10.1.0.2", { gateway: "10.1.0.1" }), leased("10.1.0.3")]));
    const result = central({ resolvConf, routes: [{ dst: "0.0.0.0/0" }] })
      .beginAcquire(key)
      .finish();
    expect(result).toStrictEqual({
      interfaces: [],
      ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1" }, { address: "10.1.0.3/24" }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: { ...EMPTY_DNS, nameservers: ["192.0.2.53"] },
    });
  });

  test("without a resolver's file says nothing of dns", () => {
    mockScene.service.answers(granted());
    expect(central().beginAcquire(key).finish().dns).toEqual(EMPTY_DNS);
  });

  test.each([
    [[leased("10.1.0.2"), leased("10.1.0.3")], false],
    [[leased("10.1.0.2"), leased("10.1.0.3", { warm: true })], true],
  ])("tells, once it is answered, whether one of the addresses is warm", (addresses, isWarm) => {
    mockScene.service.answers(granted(addresses));
    const pending = central().beginAcquire(key);
    expect(pending.isWarm?.()).toBe(false);
    pending.finish();
    expect(pending.isWarm?.()).toBe(isWarm);
  });

  test("a fault of a range is one of the key that declares it", () => {
    mockScene.service.answers(
      refused("invalid-config", {
        reason: "rangeSets[0][0].rangeEnd is outside",
        details: { field: "rangeSets[0][0].rangeEnd" },
      }),
    );
    expect(() => central(RANGE).beginAcquire(key).finish()).toThrow(
      expect.objectContaining({ object: "ipam.rangeEnd", reason: "ipam.rangeEnd is outside" }),
    );
  });

  test("carries out the attachment's own release that is pending, first", () => {
    writeReleaseIntent(mockScene.stateDir, { key, attempt: "del" });
    mockScene.service.answers(released("10.1.0.2"), granted());
    central().beginAcquire(key).finish();
    expect(mockScene.service.whats).toEqual(["attachments/release", "attachments/acquire"]);
    expect(readdirSync(mockScene.stateDir)).toEqual([]);
  });
});

describe("what was granted is given back", () => {
  test("by its sequences, in a release of a name of its own", () => {
    mockScene.service.answers(granted(), released("10.1.0.2"));
    const pending = central().beginAcquire(key);
    pending.finish();
    pending.undo();
    expect(mockScene.service.asked[1]).toEqual([
      "attachments/release",
      { key, attempt: ATTEMPT, sequences: [2] },
    ]);
    expect(mockScene.service.attemptAt(1)).not.toBe(mockScene.service.attemptAt(0));
  });

  test.each([
    [undefined, ["attachments/acquire"]],
    [MAC, ["attachments/acquire", "attachments/release"]],
  ])("what was held before only if an interface was made for it (MAC address %s)", (mac, expected) => {
    mockScene.service.answers(granted([leased("10.1.0.2")], false), released("10.1.0.2"));
    const pending = central().beginAcquire(key, mac);
    pending.finish();
    pending.undo();
    expect(mockScene.service.whats).toEqual(expected);
  });

  test("a service that kept silent is not asked again: the intent is on disk, and the log says so", () => {
    mockScene.service.answers(lost("timeout"));
    const pending = central().beginAcquire(key);
    expect(() => pending.finish()).toThrow(expect.objectContaining({ code: "timeout" }));
    pending.undo();
    expect(mockScene.service.whats).toEqual(["attachments/acquire"]);
    const attempt = mockScene.service.attemptAt(0);
    expect(mockScene.intents()).toEqual([
      { key, at: INSTANT, attempt: ATTEMPT, attempts: [attempt], onlyAttempts: true },
    ]);
    expect(mockScene.log).toEqual([`the release is kept in ${mockScene.stateDir} and will be made up for`]);
  });

  test("one that hung up is asked to forget the attempt", () => {
    mockScene.service.answers(lost("unavailable"), released());
    const pending = central().beginAcquire(key);
    expect(() => pending.finish()).toThrow(expect.objectContaining({ code: "unavailable" }));
    pending.undo();
    const attempt = mockScene.service.attemptAt(0);
    expect(mockScene.service.asked[1]?.[1]).toEqual({
      key,
      attempt: ATTEMPT,
      attempts: [attempt],
      onlyAttempts: true,
    });
  });
});

describe("an address that a machine on the network has", () => {
  const leases = (...all: object[]) => done({ leases: all });
  const lease = { networkName: NETWORK, address: "10.1.0.2", addressSpace: "lab" };
  const reason = `in use by ${CLAIM.mac}, which answered a probe of network ${NETWORK}`;

  function refuse(answers: ScriptedAnswer[], rest: JsonObject = {}): boolean | undefined {
    mockScene.service.answers(...answers);
    const pending = central({}, rest).beginAcquire(key, MAC);
    pending.finish();
    return pending.refuse?.(CLAIM);
  }

  test("goes into quarantine before it is given back, in its own address space", () => {
    const others = [
      { ...lease, networkName: "other", addressSpace: "one" },
      { ...lease, address: "10.1.0.3", addressSpace: "two" },
    ];
    expect(refuse([granted(), leases(...others, lease), done(), released("10.1.0.2")])).toBe(true);
    expect(mockScene.service.asked.slice(1)).toEqual([
      ["leases?containerId=c1", null],
      ["addresses/10.1.0.2/quarantine", { reason, addressSpace: "lab" }],
      ["attachments/release", { key, attempt: ATTEMPT, sequences: [2] }],
    ]);
  });

  test("goes into quarantine where no lease is listed, too", () => {
    expect(refuse([granted(), leases(), done(), released()])).toBe(true);
    expect(mockScene.service.asked[2]).toEqual(["addresses/10.1.0.2/quarantine", { reason }]);
  });

  test("stays as it is when it was the attachment's before, or was asked for by name", () => {
    expect(refuse([granted(undefined, false)])).toBe(false);
    expect(refuse([granted()], { runtimeConfig: { ips: ["10.1.0.2"] } })).toBe(false);
    expect(mockScene.service.whats).toEqual(["attachments/acquire", "attachments/acquire"]);
  });
});

describe("a service that has not known the network", () => {
  /** A lease that host-local has left. */
  const leave = () => {
    mkdirSync(join(mockScene.directory, "networks", NETWORK), { recursive: true });
    writeFileSync(join(mockScene.directory, "networks", NETWORK, "10.1.0.9"), "old\r\neth0");
  };

  test("is told what is in use", () => {
    leave();
    mockScene.service.answers(refused("survey-needed"), granted());
    central(RANGE).beginAcquire(key).finish();
    const [first, second] = mockScene.service.asked.map(([, body]) => body as object);
    const seen = `lease of host-local, ${mockScene.directory}/networks/${NETWORK}/10.1.0.9`;
    const found = [{ address: "10.1.0.9", containerId: "old", ifname: "eth0", seen }];
    expect(second).toEqual({ ...first, survey: { found } });
    expect(mockScene.log).toEqual([
      expect.stringContaining(`1 of its addresses are in use here, such as 10.1.0.9 (${seen})`),
    ]);
  });

  test("that nothing is in use, too, and once only", () => {
    mockScene.service.answers(refused("survey-needed"), refused("survey-needed"));
    expect(() => central(RANGE).beginAcquire(key).finish()).toThrow(
      expect.objectContaining({ code: "survey-needed" }),
    );
    expect(mockScene.service.asked.map(([, body]) => (body as { survey?: Json }).survey)).toEqual([
      undefined,
      { found: [] },
    ]);
    expect(mockScene.log).toEqual([]);
  });

  test("is told nothing about a network that declares nothing", () => {
    mockScene.service.answers(refused("survey-needed"));
    expect(() => central().beginAcquire(key).finish()).toThrow(
      expect.objectContaining({ code: "survey-needed" }),
    );
    expect(mockScene.service.asked).toHaveLength(1);
  });
});

describe("a requested address that somebody holds", () => {
  const wished = (...ips: string[]) => central({}, { runtimeConfig: { ips } });
  /** Says that the holder is gone, and remembers of whom it was asked. */
  function gone() {
    const asked: unknown[] = [];
    const releaseIfGone: ReleaseIfGone = (holder, release) => {
      asked.push(holder);
      release("no link");
      return "no link";
    };
    return { asked, releaseIfGone };
  }

  test("is released by its grant when the holder is gone, and asked for again", () => {
    const { asked, releaseIfGone } = gone();
    mockScene.service.answers(inUse(), released("10.1.0.2"), granted());
    const result = wished("10.1.0.2").beginAcquire(key, MAC, releaseIfGone).finish();
    expect(result.ips).toEqual([{ address: "10.1.0.2/24" }]);
    const holder = { networkName: NETWORK, containerId: "old", ifname: "eth0" };
    expect(asked).toEqual([
      { key: holder, address: "10.1.0.2", sequence: 7, node: "n1", bootId: "b", mac: MAC },
    ]);
    expect(mockScene.service.asked[1]).toEqual([
      "attachments/release",
      { key: holder, sequences: [7], attempt: ATTEMPT, reason: "no link" },
    ]);
    expect(mockScene.service.asked[2]).toEqual(mockScene.service.asked[0]);
    expect(mockScene.log).toEqual([`took 10.1.0.2 over from ${NETWORK}/old (eth0): no link`]);
  });

  test("stays with a holder who may be there, or where nobody can tell", () => {
    const refusal = expect.objectContaining({ code: "address-in-use" });
    mockScene.service.answers(inUse(), inUse());
    expect(() =>
      wished("10.1.0.2")
        .beginAcquire(key, MAC, () => null)
        .finish(),
    ).toThrow(refusal);
    expect(() => wished("10.1.0.2").beginAcquire(key, MAC).finish()).toThrow(refusal);
    expect(mockScene.service.whats).toEqual(["attachments/acquire", "attachments/acquire"]);
  });

  test("is no matter where the service refuses for something else", () => {
    const { asked, releaseIfGone } = gone();
    mockScene.service.answers(refused("pool-exhausted"));
    expect(() => wished("10.1.0.2").beginAcquire(key, MAC, releaseIfGone).finish()).toThrow(
      expect.objectContaining({ code: "pool-exhausted" }),
    );
    expect(asked).toEqual([]);
  });

  test("is asked for again once for each that was wished for, and once more", () => {
    const { asked, releaseIfGone } = gone();
    for (let round = 0; round < 4; round += 1) mockScene.service.answers(inUse(), released("10.1.0.2"));
    const pending = wished("10.1.0.2", "10.1.0.3").beginAcquire(key, MAC, releaseIfGone);
    expect(() => pending.finish()).toThrow(expect.objectContaining({ code: "address-in-use" }));
    expect(asked).toHaveLength(3);
  });
});
