/**
 * `./build.sh install` and `uninstall`, on a machine of their own: namespaces for mounts, processes and network, overlays over
 * the directories that they write to, and nothing of Fairlead running or installed before.
 */
import { requireFairlead } from "../support/lab/lab-plugins.ts";
import { type CommandOutcome, requireTools, tryCommand } from "../support/lab/lab-process.ts";

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
sysctl -qw net.ipv4.ip_forward=0
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

test("--purge takes all that was made, and what is somebody else's stays", async () => {
  const { stdout, stderr, status } = await onMachine(`
    sysctl -qw net.ipv6.conf.all.forwarding=1
    ip link add br-other type bridge
    nft add table inet other
    links=$(ls /sys/class/net | grep -v '^fl-')
    install >/dev/null
    dev_up
    fairlead network create app >/dev/null
    fairlead sandbox create --network app --publish 8080:80 web >/dev/null
    [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
    uninstall --purge --force >/dev/null
    wait "$dev" || true
    [ "$links" = "$(ls /sys/class/net)" ] && echo "same links"
    nft list tables
    sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding
    ls -d /run/fairlead /var/lib/fairlead /etc/fairlead /run/netns/web /opt/cni/bin/fairlead 2>/dev/null || echo "no files"
  `);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout.trim().split("\n")).toEqual(["same links", "table inet other", "0", "1", "no files"]);
});

test("purge says what would go, and waits for the daemons to end", async () => {
  const { stdout } = await onMachine(`
    install >/dev/null
    dev_up
    fairlead sandbox create web >/dev/null
    fairlead purge --force 2>&1 || echo "status $?"
    kill "$dev"; wait "$dev" || true
    fairlead purge --dry-run
    fairlead purge </dev/null
    fairlead purge --dry-run --json | jq -c 'map_values(length)'
    fairlead purge --force >/dev/null; fairlead purge
  `);
  expect(stdout).toContain("a daemon of Fairlead listens on /run/fairlead/fairlead.sock");
  expect(stdout).toContain("status 3");
  expect(stdout).toMatch(/^sandbox web$/m);
  expect(stdout).toMatch(/^bridge fl-bridge0 \(fairlead-network:/m);
  expect(stdout).toMatch(/^nftables table inet fairlead$/m);
  expect(stdout).toMatch(/^setting net\.ipv4\.ip_forward: 1 becomes 0 again$/m);
  expect(stdout).toContain('{"sandboxes":1,"interfaces":1,"bridges":1,"tables":2,"settings":1}');
  expect(stdout.trim().split("\n").at(-1)).toBe("Nothing of Fairlead's is here.");
});

test("options that there are not are refused", async () => {
  for (const verb of ["install", "uninstall", "demo"]) {
    const { status, stderr } = await tryCommand(["./build.sh", verb, "--nonsense"]);
    expect({ verb, status, named: stderr.includes("--nonsense") }).toEqual({ verb, status: 1, named: true });
  }
});
