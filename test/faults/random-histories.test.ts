/**
 * Random histories of attachments (test/model): crashes, reboots, restored backups and edited conflists between the calls of a
 * runtime. `FAIRLEAD_HISTORIES` sets their number, `FAIRLEAD_SEED` repeats a run; `./build.sh model` plays many.
 */
import { join } from "node:path";
import { requireFairlead } from "../support/lab-plugins.ts";
import { requireTools, tryCommand } from "../support/lab-process.ts";

/** Few enough for some minutes, also on a busy machine. */
const HISTORIES = process.env["FAIRLEAD_HISTORIES"] ?? "100";
/** Many times as long as it should take: only for a run that hangs. */
const LIMIT_MS = 1_800_000;

jest.setTimeout(LIMIT_MS + 10_000);

test("random histories leave every address with one container, every container with its lease, and nothing behind", async () => {
  requireFairlead();
  requireTools("ip", "nft", "unshare", "mount", "umount");
  const program = [process.execPath, "--no-warnings", join(__dirname, "../model/main.ts")];
  const { status, stdout, stderr } = await tryCommand([...program, "--histories", HISTORIES], {
    timeoutMs: LIMIT_MS,
  });
  // One value, so that a failure shows the histories that failed, and the seed.
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: expect.any(String), stderr: "" });
});
