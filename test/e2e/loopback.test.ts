/** The loopback plugin as containerd's CRI runs it in every pod: a list of its own, cniVersion 0.3.1, ifname lo. */
import { inNetns, Lab } from "../support/lab/lab.ts";
import { type Attachment, type CniResult, ConflistRunner } from "../support/lab/lab-conflist.ts";
import { pluginsUnderTest } from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";

jest.setTimeout(60_000);

let lab: Lab;
let runner: ConflistRunner;
let container: Attachment;
let result: CniResult;

beforeAll(async () => {
  lab = await Lab.open("loop");
  const plugins = pluginsUnderTest(lab);
  const list = [{ type: plugins.loopbackType }];
  runner = new ConflistRunner(lab, plugins.cniPath, {
    cniVersion: "0.3.1",
    name: "cni-loopback",
    plugins: list,
  });
  const netns = await lab.addNetns(`${lab.hostNetns}-loop`);
  container = { containerId: "loop-1", ifname: "lo", netns };
});

afterAll(() => lab.close());

/** State of the container's loopback link. */
async function loopbackIsUp(): Promise<boolean> {
  const [link] = JSON.parse(await command(inNetns(container.netns, "ip", "-j", "link", "show", "lo"))) as {
    flags: string[];
  }[];
  return link?.flags.includes("UP") ?? false;
}

test("ADD takes the link up and reports its addresses", async () => {
  expect(await loopbackIsUp()).toBe(false);
  result = await runner.add(container);
  expect(await loopbackIsUp()).toBe(true);
  expect(result.cniVersion).toBe("0.3.1");
  expect(result.ips?.map(({ address }) => address)).toEqual(["127.0.0.1/8", "::1/128"]);
  expect(result.interfaces).toEqual([expect.objectContaining({ name: "lo", sandbox: container.netns })]);
});

test("DEL takes it down, and succeeds again, and without the netns", async () => {
  await runner.del(container);
  expect(await loopbackIsUp()).toBe(false);
  await runner.del(container);
  await runner.del({ ...container, netns: "" });
});
