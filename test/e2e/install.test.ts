/**
 * `./build.sh install` and `uninstall`, on a machine of their own: namespaces for mounts, processes and network, overlays over
 * the directories that they write to, and nothing of Fairlead running or installed before.
 */
import { requireFairlead } from "../support/lab-plugins.ts";
import { type CommandOutcome, requireTools, tryCommand } from "../support/lab-process.ts";

jest.setTimeout(300_000);

const MACHINE = `
set -eu
scratch=$(mktemp -d)
mount -t tmpfs tmpfs "$scratch"
for directory in /etc /usr/local /var/lib; do
  upper=$scratch$directory work=$scratch$directory.work
  mkdir -p "$upper" "$work"
  mount -t overlay overlay -o "lowerdir=$directory,upperdir=$upper,workdir=$work" "$directory"
done
mkdir -p /opt
for directory in /run /opt; do mount -t tmpfs tmpfs "$directory"; done
rm -rf /etc/cni /etc/fairlead /etc/systemd/system /var/lib/fairlead /var/lib/cni
mount -t sysfs sysfs /sys
ip link set lo up
install() { ./build.sh install 2>&1; }
uninstall() { ./build.sh uninstall "$@" 2>&1; }
dev_up() {
  fairlead dev >/run/dev.log 2>&1 & dev=$!
  for _ in $(seq 300); do [ -S /run/fairlead/agent.sock ] && return; sleep 0.1; done
  cat /run/dev.log; return 1
}
`;

/** Runs these lines of a shell on such a machine. */
function onMachine(lines: string): Promise<CommandOutcome> {
  const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const shell = ["bash", "-c", MACHINE + lines];
  return tryCommand(["unshare", ...namespaces, "--propagation", "private", ...shell], { timeoutMs: 120_000 });
}

beforeAll(() => {
  requireFairlead();
  requireTools("unshare", "ip");
});

test("a second install renews every name, and uninstall leaves nothing of either build", async () => {
  const { stdout, status } = await onMachine(`
    install >/dev/null
    printf x >>/opt/cni/bin/fairlead # another build
    install >/dev/null
    stat -c '%i %n' /opt/cni/bin/* | awk '{print $1}' | sort -u | wc -l
    ls /opt/cni/bin
    uninstall >/dev/null
    echo "left: $(ls -A /opt/cni/bin; ls -d /usr/local/bin/fairlead /etc/fairlead 2>/dev/null)"
  `);
  expect(status).toBe(0);
  const [inodes, ...rest] = stdout.trim().split("\n");
  expect(inodes).toBe("1");
  expect(rest).toContain("loopback");
  expect(rest.at(-1)).toBe("left:");
});

test("a loopback plugin of somebody else stays", async () => {
  const { stdout } = await onMachine(`
    mkdir -p /opt/cni/bin && echo '#!/bin/true' >/opt/cni/bin/loopback
    install >/dev/null; uninstall >/dev/null; cat /opt/cni/bin/loopback
  `);
  expect(stdout.trim()).toBe("#!/bin/true");
});

test("what runs and what is attached keeps uninstall from starting, by name", async () => {
  const { stdout, stderr } = await onMachine(`
    install >/dev/null
    dev_up
    fairlead sandbox create web >/dev/null
    uninstall && exit 9
    echo "daemon: $dev"; [ -x /opt/cni/bin/fairlead-bridge ] && echo "still installed"
    install
    uninstall --force
    wait "$dev" || true
    [ ! -e /opt/cni/bin/fairlead-bridge ] && echo "gone"
  `);
  const said = stdout + stderr;
  const pid = /daemon: (\d+)/.exec(said)?.[1];
  expect(said).toContain(`  ${pid} fairlead dev`);
  expect(said).toMatch(/^ {2}veth\w+ bridge\/[0-9a-f]{64}\/eth0$/m);
  expect(said).toContain("nothing was removed");
  expect(said).toContain("still installed");
  expect(said).toContain("these still run the build that was installed before");
  expect(said).toContain(`end ${pid}: fairlead dev`);
  expect(said).toMatch(/^gone$/m);
});

test("options that there are not are refused", async () => {
  for (const verb of ["install", "uninstall", "demo"]) {
    const { status, stderr } = await tryCommand(["./build.sh", verb, "--nonsense"]);
    expect({ verb, status, named: stderr.includes("--nonsense") }).toEqual({ verb, status: 1, named: true });
  }
});
