/**
 * A container joins a bridge of the administrator's, with an address that was named by hand: what is on the bridge and on
 * the host is as it was while the container is there, and after.
 */

import { canPing } from "../support/lab/lab.ts";
import { type AnyResult, type Configuration, type Container, PluginLab } from "../support/lab/plugin-lab.ts";
import {
  BEHIND_LAN,
  bridgePorts,
  bridgeState,
  LAN_GATEWAY,
  LAN_HOST,
  LAN_MAC,
  makeLan,
} from "../support/traffic/administrators-bridge.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("foreign");
});
afterAll(() => lab?.close());

const ADDRESS = "192.168.1.10/24";

/** The configuration that attaches to a bridge without a network: no gateway, no masquerade, addresses by name. */
const joining = (bridge: string, keys: Configuration = {}): Configuration => ({
  cniVersion: "1.1.0",
  name: `adhoc-${bridge}`,
  type: "fairlead-bridge",
  bridge,
  ipam: {
    type: "fairlead-static",
    addresses: [{ address: ADDRESS, gateway: LAN_GATEWAY }],
    routes: [{ dst: "0.0.0.0/0" }],
  },
  ...keys,
});

const stateOf = (bridge: string) => bridgeState(lab.lab, bridge);
const ports = (bridge: string) => bridgePorts(lab.lab, bridge);

describe("a bridge with a gateway's port on it, and jumbo frames", () => {
  let container: Container;
  let before: unknown;
  let result: AnyResult;

  beforeAll(async () => {
    await makeLan(lab.lab, "br1", 9000);
    container = await lab.container();
    before = await stateOf("br1");
    expect(before).toMatchObject({ address: LAN_MAC, mtu: 9000, addresses: [`${LAN_HOST}/24`] });
    result = await lab.add(container, joining("br1"));
  });

  test("is as it was while the container is on it", async () => {
    expect(await stateOf("br1")).toEqual(before);
    expect(await ports("br1")).toHaveLength(2);
  });

  test("lets the container reach the host, the gateway, and through the gateway what is behind it", async () => {
    expect(result.ips).toEqual([{ address: ADDRESS, gateway: LAN_GATEWAY, interface: 2 }]);
    expect(result.interfaces?.[2]?.mtu).toBe(9000);
    expect(await lab.containerAddresses(container)).toEqual([ADDRESS]);
    for (const target of [LAN_HOST, LAN_GATEWAY, BEHIND_LAN]) {
      expect([target, await canPing(container.netns, target)]).toEqual([target, true]);
    }
  });

  test("is in order by CHECK, and is left alone by GC", async () => {
    await lab.succeed("CHECK", container, joining("br1", { prevResult: result }));
    await lab.succeed("GC", undefined, joining("br1", { "cni.dev/valid-attachments": [] }));
    expect(await lab.containerLinks(container)).toEqual([]);
    expect(await stateOf("br1")).toEqual(before);
    await lab.add(container, joining("br1"));
  });

  test("is as it was after DEL, and after a second one", async () => {
    for (let round = 0; round < 2; round += 1) {
      await lab.succeed("DEL", container, joining("br1", { prevResult: result }));
      expect(await stateOf("br1")).toEqual(before);
      expect(await ports("br1")).toEqual(["br1p"]);
    }
  });

  test("is as it was after an ADD that failed", async () => {
    const ipam = { type: "fairlead-static", addresses: [{ address: "192.168.1.11" }] };
    const error = await lab.fail("ADD", container, joining("br1", { ipam }));
    expect(error).toMatchObject({ code: 7, msg: expect.stringContaining("ipam.addresses[0].address") });
    const unreachable = { ...(joining("br1")["ipam"] as object), routes: [{ dst: "::/0", gw: "fd00::1" }] };
    await lab.fail("ADD", container, joining("br1", { ipam: unreachable }));
    expect(await stateOf("br1")).toEqual(before);
    expect(await ports("br1")).toEqual(["br1p"]);
  });
});

test("a bridge without ports keeps its MAC address through the first and the last container", async () => {
  await lab.lab.host(["ip", "link", "add", "br2", "type", "bridge"]);
  await lab.lab.host(["ip", "link", "set", "br2", "up"]);
  await lab.lab.host(["ip", "addr", "add", "192.168.2.2/24", "dev", "br2"]);
  const macOf = async () => (await lab.onHost<{ address: string }>("link", "show", "br2"))[0]?.address;
  const mac = await macOf();
  const [first, second] = [await lab.container(), await lab.container()];
  const at = (address: string) =>
    joining("br2", { ipam: { type: "fairlead-static", addresses: [{ address }] } });
  await lab.add(first, at("192.168.2.11/24"));
  await lab.add(second, at("192.168.2.12/24"));
  expect(await macOf()).toBe(mac);
  expect(await canPing(first.netns, "192.168.2.2")).toBe(true);
  expect(await canPing(first.netns, "192.168.2.12")).toBe(true);
  await lab.succeed("DEL", first, at("192.168.2.11/24"));
  await lab.succeed("DEL", second, at("192.168.2.12/24"));
  expect(await macOf()).toBe(mac);
  expect(await lab.hostAddresses("br2")).toEqual(["192.168.2.2/24"]);
});

test("a bridge that its last port left with a MAC address of zeros gets one by which it is reached", async () => {
  const host = (...words: string[]) => lab.lab.host(["ip", ...words]);
  await host("link", "add", "br3", "type", "bridge");
  await host("link", "set", "br3", "up");
  await host("addr", "add", "192.168.3.2/24", "dev", "br3");
  await host("link", "add", "br3p", "type", "veth", "peer", "name", "br3q");
  await host("link", "set", "br3p", "master", "br3");
  await host("link", "del", "br3p");
  const macOf = async () => (await lab.onHost<{ address: string }>("link", "show", "br3"))[0]?.address;
  expect(await macOf()).toBe("00:00:00:00:00:00");
  const container = await lab.container();
  const ipam = { type: "fairlead-static", addresses: [{ address: "192.168.3.11/24" }] };
  const result = await lab.add(container, joining("br3", { ipam }));
  const mac = await macOf();
  expect(mac).not.toBe("00:00:00:00:00:00");
  expect(result.interfaces?.[0]?.mac).toBe(mac);
  expect(await canPing(container.netns, "192.168.3.2")).toBe(true);
  await lab.succeed("DEL", container, joining("br3", { ipam }));
  expect(await macOf()).toBe(mac);
});
