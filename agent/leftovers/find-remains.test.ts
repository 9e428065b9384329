import { aliasOf } from "../../lib/host/attachment/alias.ts";
import { holderText } from "../../lib/host/firewall/ports/holder.ts";
import type { AttachmentKey, EndpointFilter } from "../../lib/ipam/api.ts";
import { endpointOf } from "../../test/support/dns/dns-fixture.ts";
import { type FoundRemains, type NodeEvidence, RemainsFinder } from "./find-remains.ts";

const [RUNS, ENDED] = ["00112233445566aa", "ffeeddccbbaa9900"] as const;
const WEB: AttachmentKey = { networkName: "net", containerId: "web", ifname: "eth0" };
const DB: AttachmentKey = { networkName: "net", containerId: "db", ifname: "eth0" };

let words: string[];
/** Published, with the link that each had then. */
let published: Map<AttachmentKey | string, string>;
/** Link → alias. */
let links: Map<string, { alias: string }>;
/** Who has a lease: as network/container/ifname. */
let leased: string[];
let asked: EndpointFilter[];
let isAway: boolean;
let finder: RemainsFinder;

beforeEach(() => {
  [words, published, links, leased, asked, isAway] = [[], new Map(), new Map(), [], [], false];
  const node: NodeEvidence = {
    words: () => words,
    ended: (names) => names.filter((name) => name !== RUNS),
    publishers: () => ({
      holders: [...published].map(([holder, link]) => ({
        holder: typeof holder === "string" ? holder : holderText(holder),
        link,
      })),
      links,
    }),
  };
  const listEndpoints = async (filter: EndpointFilter) => {
    asked.push(filter);
    if (isAway) throw new Error("away");
    const all = leased.map((text) => {
      const [networkName = "", containerId = "", ifname = ""] = text.split("/");
      return { ...endpointOf(networkName, containerId, ["10.1.0.2/24"]), ifname };
    });
    return all.filter(({ containerId }) => containerId === (filter.containerId ?? containerId));
  };
  finder = new RemainsFinder({ listEndpoints }, "/cache", node);
});

const portsOf = (key: AttachmentKey) => ({ kind: "ports", key, records: "/cache/results" });

/** What two rounds find: of ports nothing is believed that was seen only once. */
async function twice(): Promise<FoundRemains> {
  await finder.find();
  return finder.find();
}

test("of ADDs that left word, those that run no more may be asked about; the others' remains are not gone", async () => {
  words = [RUNS, ENDED, "notes.txt", `${ENDED}0`, `0${ENDED}`, ENDED.toUpperCase()];
  expect(await finder.find()).toEqual({
    remains: [{ kind: "unfinished-add", name: ENDED, records: "/cache/results" }],
    all: new Set([RUNS, ENDED]),
  });
});

test("ports of a holder without a link are remains once two rounds have seen it so", async () => {
  published.set(WEB, "veth1");
  expect(await finder.find()).toEqual({ remains: [], all: new Set() });
  expect(await finder.find()).toEqual({ remains: [portsOf(WEB)], all: new Set(["ports net/web/eth0"]) });
  // Whose link is back, and gone again, is a suspect anew.
  links.set("veth1", { alias: "" });
  expect((await finder.find()).remains).toEqual([]);
  links.clear();
  expect((await finder.find()).remains).toEqual([]);
  expect((await finder.find()).remains).toEqual([portsOf(WEB)]);
});

test("a link of the name that it published with, or of its alias under another name, keeps ports", async () => {
  published.set(WEB, "veth1").set(DB, "veth2");
  links.set("veth1", { alias: "somebody's" }).set("veth9", { alias: aliasOf(DB) });
  expect((await twice()).remains).toEqual([]);
  links.delete("veth9");
  expect((await twice()).remains).toEqual([portsOf(DB)]);
});

test("ports of a holder that has a lease are nobody's remains; another lease of its container is none of it", async () => {
  published.set(WEB, "veth1").set(DB, "veth2");
  leased = ["net/web/eth0", "net/db/eth1", "other/db/eth0"];
  expect((await twice()).remains).toEqual([portsOf(DB)]);
  expect(asked).toEqual([{ containerId: "web" }, { containerId: "db" }]);
});

test("of very many holders the service is asked once", async () => {
  const keys = Array.from({ length: 50 }, (_, at) => ({ ...WEB, containerId: `web${at}` }));
  for (const key of keys) published.set(key, `veth-${key.containerId}`);
  leased = ["net/web0/eth0", "net/web1/eth1", "net/web49/eth0", "net/others/eth0"];
  expect((await twice()).remains).toEqual(keys.slice(1, -1).map(portsOf));
  expect(asked).toEqual([{}]);
});

test("a holder that does not say who it is has no ports to take back", async () => {
  published.set("net/#00112233445566aa", "veth1");
  expect((await twice()).remains).toEqual([]);
});

test("while the service is away nothing is known", async () => {
  published.set(WEB, "veth1");
  isAway = true;
  await finder.find();
  await expect(finder.find()).rejects.toThrow("away");
});
