/** Room on a file system, as the agent's status sees it. Needs root, to mount one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskProblems } from "../../agent/networks/disk.ts";
import { command } from "../support/lab/lab-process.ts";

test("a file system without room is a problem, one with room and one that is not there are none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-disk-"));
  await command(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]);
  try {
    expect(await diskProblems([folder, join(folder, "nosuch"), "/dev/shm"])).toEqual([
      { severity: "error", object: folder, message: expect.stringContaining("KiB left") },
    ]);
  } finally {
    await command(["umount", folder]);
    rmSync(folder, { recursive: true });
  }
});
