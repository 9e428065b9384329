/** A requested address whose holder is gone, and for which no DEL came, is taken over; one whose holder may be there is not. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startSlowIpam } from "../support/ipam/slow-ipam.ts";
import { command, until } from "../support/lab/lab-process.ts";
import { type Configuration, type Container, expectSuccess, PluginLab } from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("heir");
});
afterAll(() => lab?.close());

const WANTED = ["42", "::42"] as const;

interface Held {
  readonly config: Configuration;
  readonly holder: Container;
  readonly wanted: readonly string[];
}

/** A container that asked for an address of each family, and has them. */
async function hold(): Promise<Held> {
  const network = lab.network();
  const [v4, v6] = [
    network.subnet.replace("0/24", WANTED[0]),
    network.subnet6.replace("::/64", WANTED[1]),
  ] as const;
  const config = lab.bridge(network, {
    ipam: lab.plugins.ipam([network.subnet, network.subnet6]),
    runtimeConfig: { ips: [`${v4}/24`, `${v6}/64`] },
  });
  const holder = await lab.container();
  await lab.add(holder, config);
  return { config, holder, wanted: [v4, v6] };
}

const hostEnds = async (config: Configuration): Promise<readonly unknown[]> =>
  lab.onHost("link", "show", "master", String(config["bridge"]));

/** The container's end goes, and the host's with it, as when the namespace ends. */
async function cut({ config, holder }: Held): Promise<void> {
  await command(["ip", "-n", holder.netns.slice("/run/netns/".length), "link", "del", holder.ifname]);
  await until(async () => (await hostEnds(config)).length === 0);
}

/** Its namespace, which the lab is going to remove, is not there meanwhile. */
async function kill({ config, holder: { netns } }: Held): Promise<() => Promise<string>> {
  const name = netns.slice("/run/netns/".length);
  await command(["ip", "netns", "del", name]);
  await until(async () => (await hostEnds(config)).length === 0);
  return () => command(["ip", "netns", "add", name]);
}

const ends = ({ wanted }: Held) => [`${wanted[0]}/24`, `${wanted[1]}/64`].sort();

test("a container that was killed with its namespace leaves its addresses to the next that asks for them", async () => {
  const held = await hold();
  const restore = await kill(held);
  const heir = await lab.container();
  const answer = await lab.call({ verb: "ADD", container: heir, config: held.config });
  expectSuccess(answer);
  expect(await lab.containerAddresses(heir)).toEqual(ends(held));
  expect(await lab.plugins.boundAddresses(String(held.config["name"]))).toEqual([...held.wanted].sort());
  for (const address of held.wanted)
    expect(answer.stderr).toMatch(
      new RegExp(`took ${address} over from .*/${held.holder.containerId} \\(eth0\\): .*no link veth`),
    );
  // What comes late means a grant that is over.
  await lab.succeed("DEL", { ...held.holder, netns: "" }, held.config);
  await lab.succeed("CHECK", heir, { ...held.config, prevResult: JSON.parse(answer.stdout) });
  await lab.succeed("DEL", heir, held.config);
  await restore();
});

test("not while its link is there", async () => {
  const held = await hold();
  const heir = await lab.container();
  const error = await lab.fail("ADD", heir, held.config);
  expect(error).toMatchObject({ code: 102, msg: expect.stringContaining(held.holder.containerId) });
  expect(await lab.containerAddresses(held.holder)).toEqual(ends(held));
  await lab.succeed("DEL", held.holder, held.config);
});

test("not while a link of another name says that it is its own", async () => {
  const held = await hold();
  const [end] = (await hostEnds(held.config)) as { ifname: string }[];
  await lab.lab.host(["ip", "link", "set", end?.ifname ?? "", "name", "renamed0"]);
  expect(await lab.fail("ADD", await lab.container(), held.config)).toMatchObject({ code: 102 });
  await lab.lab.host(["ip", "link", "del", "renamed0"]);
  await lab.succeed("DEL", held.holder, held.config);
});

test("not while a call for it runs, whatever is there of it", async () => {
  const held = await hold();
  await cut(held);
  const ipam = held.config["ipam"] as Readonly<Record<string, unknown>>;
  const path = join(lab.lab.folder("silent"), "ipam.sock");
  const slow = await startSlowIpam(path, String(ipam["socket"]), null);
  const config = { ...held.config, ipam: { ...ipam, socket: path } };
  const heir = await lab.container();
  const running = lab.call({ verb: "DEL", container: held.holder, config });
  try {
    await until(async () => slow.asked > 0);
    expect(await lab.fail("ADD", heir, held.config)).toMatchObject({ code: 102 });
  } finally {
    await slow.close();
    await running;
  }
  await lab.add(heir, held.config);
  await lab.succeed("DEL", heir, held.config);
});

test("not while somebody has a record of it whose namespace is there", async () => {
  const held = await hold();
  await cut(held);
  const { containerId, ifname, netns } = held.holder;
  const networkName = String(held.config["name"]);
  const folder = lab.lab.folder("records", "results");
  const record = { kind: "cniCacheV1", networkName, containerId, ifName: ifname, netns };
  writeFileSync(join(folder, `${networkName}-${containerId}-${ifname}`), JSON.stringify(record));
  const script = `mkdir -p /var/lib/cni && mount --bind ${dirname(folder)} /var/lib/cni && exec "$@"`;
  const wrapper = ["unshare", "-m", "sh", "-c", script, "sh"];
  const heir = await lab.container();
  const asked = { verb: "ADD", container: heir, config: held.config, wrapper };
  const refused = await lab.call(asked);
  expect([refused.status, JSON.parse(refused.stdout).code]).toEqual([1, 102]);
  const restore = await kill(held);
  expectSuccess(await lab.call(asked));
  await lab.succeed("DEL", heir, held.config);
  await restore();
});

test("not where another interface plugin asked for it: its link is not to be found here", async () => {
  const held = await hold();
  await lab.succeed("DEL", held.holder, held.config);
  const other = await lab.container();
  expectSuccess(
    await lab.call({ verb: "ADD", container: other, config: held.config, type: "fairlead-ipam" }),
  );
  expect(await lab.fail("ADD", await lab.container(), held.config)).toMatchObject({ code: 102 });
  await lab.succeed("DEL", other, held.config);
});
