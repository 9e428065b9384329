import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ShownLink, TestNetns } from "../support/kernel/netns.ts";

/** Many at once, and few for long, among whom the bridge loses its last port again and again. */
const CASES = [
  [50, 3],
  [4, 20],
] as const;

/** Exit status and stderr of one process. */
function attachProcess(host: TestNetns, args: readonly string[]): Promise<string> {
  const root = join(__dirname, "..", "..");
  const command = [
    join(root, "node_modules/.bin/bun"),
    join(root, "test/support/kernel/attach-process.ts"),
    ...args,
  ];
  return new Promise((resolve) => {
    const child = spawn("nsenter", [`--net=${host.path}`, ...command], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (data) => {
      errors += data;
    });
    child.on("close", (status) => resolve(status === 0 ? "ok" : `status ${status}: ${errors}`));
  });
}

test.each(CASES)(
  "%p processes make, use and remove one bridge at once, %p times, and none fails",
  async (processes, rounds) => {
    const directory = mkdtempSync(join(tmpdir(), "fl-many-"));
    const [host, container] = [new TestNetns("fl-many-h"), new TestNetns("fl-many-c")];
    try {
      const runs = Array.from({ length: processes }, (_, i) =>
        attachProcess(host, [container.path, directory, String(i), String(rounds)]),
      );
      expect(await Promise.all(runs)).toEqual(new Array(processes).fill("ok"));
      expect(container.show<ShownLink>("link").map((link) => link.ifname)).toEqual(["lo"]);
      const left = host.show<ShownLink>("link").map((link) => link.ifname);
      // The last to detach may have found the lock taken by one that gave up at the same time.
      expect(["lo", "lo,br0"]).toContain(left.join());
    } finally {
      host.close();
      container.close();
      rmSync(directory, { recursive: true });
    }
  },
  120_000,
);
