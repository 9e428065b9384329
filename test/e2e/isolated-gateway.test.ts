/** Gateway mode `isolated`, with packets: containers of the network reach each other, and the host is not there. Needs root. */
import { bridgeOf } from "../support/lab/agent-networks.ts";
import {
  connects,
  type Family,
  type IsolatedContainer,
  IsolationLab,
  pings,
} from "../support/lab/isolation-lab.ts";
import { HOST_IPV4, HOST_IPV6 } from "../support/lab/lab.ts";
import { command, tryCommand } from "../support/lab/lab-process.ts";

jest.setTimeout(180_000);

const FAMILIES: readonly Family[] = [4, 6];
const MODE = "com.docker.network.bridge.gateway_mode_ipv";
const HOST: Readonly<Record<Family, string>> = { 4: HOST_IPV4, 6: HOST_IPV6 };

let lab: IsolationLab;
let bridge: string;
let containers: readonly [IsolatedContainer, IsolatedContainer];

beforeAll(async () => {
  lab = await IsolationLab.open("alone");
  const network = await lab.network("alone", {
    subnets: [{ subnet: "10.73.0.0/24" }, { subnet: "fd00:73::/64" }],
    internal: true,
    options: { [`${MODE}4`]: "isolated", [`${MODE}6`]: "isolated" },
  });
  bridge = bridgeOf(network);
  containers = [await lab.container("one", "alone"), await lab.container("two", "alone")];
  await lab.listen(lab.host, "8080");
});
afterAll(() => lab?.close());

const onHost = async (...argv: string[]) => (await command(lab.under.lab.inHost("ip", ...argv))).trim();

test("the bridge has no address, not even a link-local one, before and after containers come", async () => {
  expect(await onHost("address", "show", "dev", bridge)).not.toContain("inet");
  expect(await onHost("route", "show", "10.73.0.0/24")).toBe("");
  expect(await onHost("-6", "route", "show", "fd00:73::/64")).toBe("");
});

test("the first host of the subnet is a container's, and none has a gateway", async () => {
  expect(containers[0].address).toEqual({ 4: "10.73.0.1", 6: "fd00:73::1" });
  for (const { netns } of containers) {
    const routes = ["-4", "-6"].map((family) => [`--net=${netns}`, "ip", family, "route", "show", "default"]);
    for (const argv of routes) expect(await command(["nsenter", ...argv])).toBe("");
  }
});

test("containers reach each other in both families", async () => {
  const [one, two] = containers;
  for (const family of FAMILIES) {
    expect(await pings(one.netns, two.address[family])).toBe(true);
    expect(await connects(two.netns, one.address[family], 80)).toBe(true);
  }
});

test("the host is not reached, whatever routes a container makes, and does not reach a container", async () => {
  const [one] = containers;
  for (const family of FAMILIES) {
    const default_ = [`-${family}`, "route", "add", "default", "dev", "eth0"];
    await command(["nsenter", `--net=${one.netns}`, "ip", ...default_]);
    expect(await pings(one.netns, HOST[family], false)).toBe(false);
    expect(await connects(one.netns, HOST[family], 8080)).toBe(false);
    const probe = lab.under.lab.inHost("ping", `-${family}`, "-n", "-c1", "-W1", one.address[family]);
    expect((await tryCommand(probe)).status).not.toBe(0);
  }
});

test("CHECK passes, DEL leaves nothing", async () => {
  for (const { name, netns, result } of containers) {
    const check = await lab.plugin("CHECK", "alone", { name, netns, keys: { prevResult: result } });
    expect([check.status, check.stdout]).toEqual([0, ""]);
    expect((await lab.plugin("DEL", "alone", { name, netns })).status).toBe(0);
  }
});
