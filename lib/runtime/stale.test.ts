import type { CachedAttachment, OwnerNotes } from "./cache.ts";
import { readConflist } from "./conflist.ts";
import { evidenceNotes, isContainerGone, ownStandpoint, type Witness } from "./stale.ts";

const NOTES: OwnerNotes = { ...evidenceNotes("/proc/self/ns/net", ["veth1"]), netnsIdentity: "0:4:1" };

const entry = (notes: OwnerNotes | null, netns = "/nosuch/netns"): CachedAttachment => ({
  networkName: "n",
  containerId: "c",
  ifname: "eth1",
  netns,
  conflist: readConflist({ name: "n", plugins: [{ type: "p" }] }, "n"),
  rawResult: null,
  notes,
  file: "/cache/n-c-eth1",
});

const witness = (links: readonly string[] = [], changes: Partial<Witness["standpoint"]> = {}): Witness => ({
  standpoint: { ...ownStandpoint(), ...changes },
  hasLink: (ifname) => links.includes(ifname),
});

test("gone: the path leads nowhere and the host end of its link is gone", () => {
  expect(isContainerGone(entry(NOTES), witness())).toBe(true);
});

test("gone: another namespace has the path now", () => {
  expect(isContainerGone(entry(NOTES, "/proc/self/ns/net"), witness())).toBe(true);
});

test("gone: a namespace made anew has the path and the inode", () => {
  const present = evidenceNotes("/proc/self/ns/net", ["veth1"]);
  expect(present["netnsCookie"]).toMatch(/^\d+$/);
  const other = { ...present, netnsCookie: `1${present["netnsCookie"] ?? ""}` };
  expect(isContainerGone(entry(other, "/proc/self/ns/net"), witness())).toBe(true);
  // Noted by a kernel, or a program, that did not tell.
  const untold = { ...present, netnsCookie: "" };
  expect(isContainerGone(entry(untold, "/proc/self/ns/net"), witness())).toBe(false);
});

test("gone: the machine was started anew, whatever has the old names now", () => {
  const present = { ...NOTES, ...evidenceNotes("/proc/self/ns/net", ["veth1"]), bootId: "of another boot" };
  expect(isContainerGone(entry(present, "/proc/self/ns/net"), witness(["veth1"]))).toBe(true);
});

test.each<[string, CachedAttachment, Witness]>([
  [
    "the namespace is there",
    entry(evidenceNotes("/proc/self/ns/net", ["veth1"]), "/proc/self/ns/net"),
    witness(),
  ],
  ["its link is there, so the path only cannot be seen from here", entry(NOTES), witness(["veth1"])],
  ["somebody else attached it", entry(null), witness()],
  ["nothing was noted", entry({ name: "web" }), witness()],
  ["no path was noted", entry(NOTES, ""), witness()],
  ["it was attached on another host netns", entry(NOTES), witness([], { hostNetns: "0:4:9" })],
  [
    "no link tells, and /proc shows other processes here",
    entry({ ...NOTES, containerLinks: "" }),
    witness([], { pidNamespace: "x" }),
  ],
  [
    "no link tells, and something else has the path",
    entry({ ...NOTES, containerLinks: "" }, "/etc/passwd"),
    witness(),
  ],
])("there: %s", (_reason, attachment, seen) => {
  expect(isContainerGone(attachment, seen)).toBe(false);
});

test("gone without a link of its own: the path leads nowhere and means the same here", () => {
  expect(isContainerGone(entry({ ...NOTES, containerLinks: "" }), witness())).toBe(true);
});
