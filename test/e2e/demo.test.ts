/** The README's first command, and what it leaves behind: nothing. */
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab/lab-plugins.ts";
import { requireTools, tryCommand } from "../support/lab/lab-process.ts";

jest.setTimeout(300_000);

const DEMO = [process.execPath, "--no-warnings", "tools/demo.ts"];

/**
 * Runs its arguments on a machine of their own, and says before and after which of Fairlead's directories and which links are there.
 * The demo makes directories that are missing and removes them: on the real machine it could meet others that use them.
 */
const LOOK_AROUND = `
mount -t sysfs sysfs /sys
for directory in /run /var/lib; do mount -t tmpfs tmpfs "$directory"; done
mkdir /run/upper /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
look() {
  echo "$1:" $(ls -d /run/fairlead /var/lib/fairlead /var/lib/cni /etc/cni /run/netns 2>/dev/null) $(ls /sys/class/net)
}
look before; "$@"; status=$?; look after
exit $status`;
const ALONE = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", LOOK_AROUND, "sh"];

beforeAll(() => {
  requireFairlead();
  requireTools("unshare", "mount");
});

test("shows networks, names, isolation, a port and history, and leaves nothing", async () => {
  const argv = [...ALONE, ...DEMO, FAIRLEAD_DIRECTORY];
  const { stdout, stderr, status } = await tryCommand(argv, { timeoutMs: 240_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("64 bytes from ins02.frontend");
  expect(stdout).toContain("ping: ins03: Name or service not known");
  expect(stdout).toContain("hello from web");
  expect(stdout).not.toContain("\x1b");
  expect(stdout).not.toContain("CNI_COMMAND");
  const [, before] = /^before: (.*)$/m.exec(stdout) ?? [];
  expect(before).toMatch(/\blo\b/);
  expect(stdout).toContain(`\nafter: ${before}\n`);
});

test("--verbose shows what the plugins are asked and answer", async () => {
  const { stdout, status } = await tryCommand([...DEMO, FAIRLEAD_DIRECTORY, "--verbose"], {
    timeoutMs: 240_000,
  });
  expect(status).toBe(0);
  expect(stdout).toContain("CNI_COMMAND=ADD");
  expect(stdout).toContain('"sandbox":"/run/netns/byhand"');
});

test("says what went wrong, with what the daemon said", async () => {
  const { stderr, status } = await tryCommand([...DEMO, "/nowhere"], { timeoutMs: 240_000 });
  expect(status).toBe(1);
  expect(stderr).toContain("demo: ");
});
