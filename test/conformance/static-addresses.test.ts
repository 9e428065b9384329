/** `fairlead-static`: by itself it answers as the reference's `static` does, and it serves the reference's bridge. */
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import {
  type Answer,
  type Configuration,
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
let container: Container;
beforeAll(async () => {
  lab = await PluginLab.open("static");
  container = await lab.container();
});
afterAll(() => lab?.close());

const ADDRESSES = [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }, { address: "fd00::5/64" }];

const configOf = (ipam: Configuration, keys: Configuration = {}): Configuration => ({
  cniVersion: "1.0.0",
  name: "named",
  type: "any",
  ipam: { type: "fairlead-static", ...ipam },
  ...keys,
});

function call(
  type: string,
  verb: string,
  { config, args = "" }: { config: Configuration; args?: string },
): Promise<Answer> {
  return lab.call({ verb, container: { ...container, args }, config, type });
}

/** An empty `dns` is as good as none; which versions print one differs. */
function meaning({ stdout }: Answer): unknown {
  const { dns, ...rest } = JSON.parse(stdout) as { dns?: object };
  return dns === undefined || Object.keys(dns).length === 0 ? rest : { ...rest, dns };
}

describe("answers as the reference does", () => {
  const dns = {
    nameservers: ["10.1.0.53"],
    domain: "lan.example",
    search: ["a.example"],
    options: ["ndots:2"],
  };
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.1.0.9" }];
  const full = configOf({ addresses: ADDRESSES, routes, dns });
  const fromArgs = { args: { cni: { ips: ["10.3.0.5/24"] } } };
  const fromRuntime = { runtimeConfig: { ips: ["10.4.0.5/24", "fd04::5/64"] } };

  test.each<readonly [string, Configuration, string]>([
    ["configured addresses, routes and dns", full, ""],
    ["IP and GATEWAY of CNI_ARGS", full, "IP=10.2.0.5/16;GATEWAY=10.2.0.1,10.1.0.254"],
    ["args.cni.ips", { ...full, ...fromArgs }, "IP=10.2.0.5/16"],
    ["runtimeConfig.ips", { ...full, ...fromArgs, ...fromRuntime }, ""],
    ["no address at all", configOf({}), ""],
  ])("%s", async (_, config, args) => {
    const [ours, theirs] = [
      await call("fairlead-static", "ADD", { config, args }),
      await call("static", "ADD", { config, args }),
    ];
    expectSuccess(ours);
    expectSuccess(theirs);
    expect(meaning(ours)).toEqual(meaning(theirs));
  });

  test.each(CNI_VERSIONS.filter((version) => version !== "1.1.0"))("at %s", async (cniVersion) => {
    const config = { ...full, cniVersion };
    const [ours, theirs] = [
      await call("fairlead-static", "ADD", { config }),
      await call("static", "ADD", { config }),
    ];
    expectSuccess(ours);
    expect(meaning(ours)).toEqual(meaning(theirs));
  });

  test.each<readonly [string, Configuration, string]>([
    ["an address without a length", configOf({ addresses: [{ address: "10.1.0.5" }] }), ""],
    ["a gateway that is none", configOf({ addresses: [{ address: "10.1.0.5/24", gateway: "x" }] }), ""],
    ["an IP without a length", full, "IP=10.2.0.5"],
    ["a GATEWAY that is none", full, "GATEWAY=x"],
    ["a requested address without a length", { ...full, runtimeConfig: { ips: ["10.2.0.5"] } }, ""],
    ["two addresses of a family at 0.2.0", { ...full, cniVersion: "0.2.0" }, "IP=10.2.0.5/16"],
  ])("by refusing %s", async (_, config, args) => {
    expect(expectFailure(await call("fairlead-static", "ADD", { config, args }))).toMatchObject({ code: 7 });
    expect((await call("static", "ADD", { config, args })).status).not.toBe(0);
  });
});

test("DEL and GC have nothing to do, and STATUS finds nothing wrong", async () => {
  const config = configOf({ addresses: ADDRESSES }, { cniVersion: "1.1.0" });
  expectSilence(await call("fairlead-static", "DEL", { config }));
  expectSilence(await call("fairlead-static", "DEL", { config }));
  expectSilence(
    await call("fairlead-static", "GC", { config: { ...config, "cni.dev/valid-attachments": [] } }),
  );
  expectSilence(await call("fairlead-static", "STATUS", { config }));
});

test("CHECK fails when the result lacks an address that is configured", async () => {
  const config = configOf({ addresses: ADDRESSES });
  const prevResult = meaning(await call("fairlead-static", "ADD", { config }));
  expectSilence(await call("fairlead-static", "CHECK", { config: { ...config, prevResult } }));
  const more = configOf({ addresses: [...ADDRESSES, { address: "10.9.0.1/24" }] }, { prevResult });
  expect(expectFailure(await call("fairlead-static", "CHECK", { config: more }))).toMatchObject({
    code: 105,
  });
});

test("serves the reference bridge as a process, and ours without one", async () => {
  for (const [at, type] of ["bridge", "fairlead-bridge"].entries()) {
    const network = lab.network();
    const { netns, containerId } = await lab.container();
    const mine: Container = {
      netns,
      containerId,
      ifname: "eth0",
      args: `IP=10.9.${at}.5/24;GATEWAY=10.9.${at}.1;IgnoreUnknown=1`,
    };
    const config = lab.bridge(network, {
      type,
      isGateway: false,
      ipMasq: false,
      ipam: { type: "fairlead-static", routes: [{ dst: "0.0.0.0/0" }] },
    });
    const env = type === "fairlead-bridge" ? { CNI_PATH: "/nowhere" } : {};
    const added = await lab.call({ verb: "ADD", container: mine, config, type, env });
    expectSuccess(added);
    expect(await lab.containerAddresses(mine)).toEqual([`10.9.${at}.5/24`]);
    const routes = await lab.inContainer(mine, "route", "show", "default");
    expect(routes).toMatchObject([{ gateway: `10.9.${at}.1` }]);
    expectSilence(await lab.call({ verb: "DEL", container: mine, config, type, env }));
  }
});
