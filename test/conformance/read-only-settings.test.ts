/** A read-only /proc/sys, as in an unprivileged container: what only makes things better is done without, and told. */
import { expectSuccess, PluginLab } from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("rosys");
});
afterAll(() => lab?.close());

const READ_ONLY = [
  ...["unshare", "-m", "sh", "-c"],
  'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"',
  "sh",
];

test("an ADD does without the settings that it cannot have, and says which", async () => {
  const network = lab.network();
  const config = lab.bridge(network);
  await lab.lab.host(["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
  const container = await lab.container();
  const answer = await lab.call({ verb: "ADD", container, config, wrapper: READ_ONLY });
  expectSuccess(answer);
  for (const key of [`${network.bridge}.accept_ra=0`, "eth0.accept_ra=0", "eth0.arp_notify=1"])
    expect(answer.stderr).toMatch(new RegExp(`going on without net\\.ipv[46]\\.conf\\.${key}: .*EROFS`));
  await lab.succeed("DEL", container, config);
});

test("one that needs forwarding fails where it is off, and leaves nothing", async () => {
  const network = lab.network();
  await lab.lab.host(["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
  const container = await lab.container();
  const before = await lab.traces(container, network);
  const answer = await lab.call({
    verb: "ADD",
    container,
    config: lab.bridge(network),
    wrapper: READ_ONLY,
  });
  expect([answer.status, JSON.parse(answer.stdout).msg]).toEqual([1, expect.stringContaining("ip_forward")]);
  expect(await lab.traces(container, network)).toEqual(before);
});
