/** Source MAC checks in the kernel, listed by `nft`, and many processes at once. Needs root and nft. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  checkMacSpoofCheck,
  ensureMacSpoofCheck,
  isMacSpoofCheckInPlace,
  removeMacSpoofCheck,
  removeUnusedMacSpoofTable,
} from "../../lib/host/firewall/source/mac-spoof.ts";
import { runAtOnce } from "../support/kernel/firewall-processes.ts";
import { listedByNft, sorted } from "../support/kernel/nft-judge.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";
import { waitUntil } from "../support/lab/lab-process.ts";

const PROCESSES = 50;

const ATTACHMENT = { key: "web/c1/eth0", hostIfname: "veth1", mac: "02:00:00:00:00:01" };

let host: NftNetns;
beforeEach(() => {
  host = new NftNetns("host");
});
afterEach(() => host.close());

describe("source MAC checks", () => {
  test("are what they say in nft's language", () => {
    ensureMacSpoofCheck(host.nft, ATTACHMENT);
    ensureMacSpoofCheck(host.nft, { ...ATTACHMENT, hostIfname: "veth2", mac: "02:00:00:00:00:02" });
    const script = `table bridge fairlead {
      set mac-checked { type ifname; elements = { veth1 comment "02:00:00:00:00:01 web/c1/eth0",
        veth2 comment "02:00:00:00:00:02 web/c1/eth0" }; }
      set mac-allowed { type ifname . ether_addr;
        elements = { veth1 . 02:00:00:00:00:01, veth2 . 02:00:00:00:00:02 }; }
      chain mac-spoof { type filter hook prerouting priority dstnat; policy accept;
        iifname @mac-checked iifname . ether saddr != @mac-allowed counter drop
      }
    }`;
    expect(sorted(host.listJson())).toEqual(listedByNft(script));
  });

  test("are ensured, replaced, checked and removed", () => {
    const { nft } = host;
    removeMacSpoofCheck(nft, "veth1");
    expect(isMacSpoofCheckInPlace(nft, ATTACHMENT)).toBe(false);
    ensureMacSpoofCheck(nft, ATTACHMENT);
    const generation = nft.generation();
    ensureMacSpoofCheck(nft, ATTACHMENT);
    expect(nft.generation()).toBe(generation);
    checkMacSpoofCheck(nft, ATTACHMENT);
    const next = { key: "web/c2/eth0", hostIfname: "veth1", mac: "02:00:00:00:00:02" };
    ensureMacSpoofCheck(nft, next);
    expect(host.list()).not.toContain("02:00:00:00:00:01");
    checkMacSpoofCheck(nft, next);
    expect(() => checkMacSpoofCheck(nft, ATTACHMENT)).toThrow(/veth1: set mac-checked lacks the interface/);
    removeUnusedMacSpoofTable(nft);
    checkMacSpoofCheck(nft, next);
    removeMacSpoofCheck(nft, "veth1");
    removeMacSpoofCheck(nft, "veth1");
    removeUnusedMacSpoofTable(nft);
    expect(host.list()).toBe("");
  });

  test("notice what somebody else took away", () => {
    ensureMacSpoofCheck(host.nft, ATTACHMENT);
    host.apply("flush set bridge fairlead mac-allowed");
    expect(() => checkMacSpoofCheck(host.nft, ATTACHMENT)).toThrow(/set mac-allowed lacks 02:00:00:00:00:01/);
    host.apply("flush ruleset");
    ensureMacSpoofCheck(host.nft, ATTACHMENT);
    host.apply("flush chain bridge fairlead mac-spoof");
    expect(() => checkMacSpoofCheck(host.nft, ATTACHMENT)).toThrow(/the rule is missing/);
  });

  test("that the kernel does not let us take away are refused with its word, not tried again", async () => {
    // A table is its owner's alone as long as the owner is there.
    const owner = spawn("nsenter", [`--net=${host.path}`, "nft", "-i"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    owner.stdin.write(`add table bridge fairlead { flags owner; }
      add set bridge fairlead mac-checked { type ifname; }
      add set bridge fairlead mac-allowed { type ifname . ether_addr; }
      add element bridge fairlead mac-checked { veth1 comment "${ATTACHMENT.mac} ${ATTACHMENT.key}" }
      add element bridge fairlead mac-allowed { veth1 . ${ATTACHMENT.mac} }\n`);
    try {
      expect(await waitUntil(async () => host.list().split("elements").length > 2, 30_000)).toBe(true);
      const refused = expect.objectContaining({ code: "kernel-refused" });
      expect(() => removeMacSpoofCheck(host.nft, "veth1")).toThrow(refused);
      expect(() => ensureMacSpoofCheck(host.nft, { ...ATTACHMENT, key: "web/c2/eth0" })).toThrow(refused);
    } finally {
      owner.stdin.end();
      await once(owner, "exit");
    }
  });

  test("take a key of any length", () => {
    const spec = { ...ATTACHMENT, key: "k".repeat(1000) };
    ensureMacSpoofCheck(host.nft, spec);
    expect(isMacSpoofCheckInPlace(host.nft, spec)).toBe(true);
    expect(isMacSpoofCheckInPlace(host.nft, { ...spec, key: "k".repeat(999) })).toBe(false);
  });
});

describe(`${PROCESSES} processes at once`, () => {
  const count = Array.from({ length: PROCESSES }, (_, at) => at);

  test("check source MACs while others come and go", async () => {
    const attachment = (at: number) => ({
      key: `c${at}`,
      hostIfname: `veth${at}`,
      mac: `02:00:00:00:00:${10 + at}`,
    });
    const jobs = count.map((at) => ({ verb: at % 2 ? "spoofChurn" : "spoof", spec: attachment(at) }));
    expect(await runAtOnce(host, jobs)).toEqual([]);
    for (const at of count) expect(isMacSpoofCheckInPlace(host.nft, attachment(at))).toBe(at % 2 === 0);
  }, 120_000);
});
