/**
 * Random histories of attachments (test/model): crashes, reboots, restored backups and edited conflists between the calls of a
 * runtime. `FAIRLEAD_HISTORIES` sets their number, `FAIRLEAD_SEED` chooses others than the usual ones, so that a change is judged by
 * what it does and not by what chance brings; `./build.sh model` plays many, and new ones each time.
 */
import { join } from "node:path";
import { requireFairlead } from "../support/lab/lab-plugins.ts";
import { requireTools, tryCommand } from "../support/lab/lab-process.ts";

/** A tenth of what `./build.sh model` is to play before a release; fewer where that takes longer than some minutes. */
const HISTORIES = process.env["FAIRLEAD_HISTORIES"] ?? "1000";
const SECONDS = process.env["FAIRLEAD_HISTORIES"] === undefined ? ["--seconds", "360"] : [];
const SEED = process.env["FAIRLEAD_SEED"] ?? "1";
const NO_BUN_FFI = join(__dirname, "../support/register-no-bun-ffi.ts");
/** Many times as long as it should take: only for a run that hangs. */
const LIMIT_MS = 1_800_000;

jest.setTimeout(LIMIT_MS + 10_000);

test("random histories leave every address with one container, every container with its lease, and nothing behind", async () => {
  requireFairlead();
  requireTools("ip", "nft", "unshare", "mount", "umount");
  const flags = ["--experimental-ffi", "--no-warnings", "--import", NO_BUN_FFI];
  const program = [process.execPath, ...flags, join(__dirname, "../model/main.ts")];
  const { status, stdout, stderr } = await tryCommand(
    [...program, "--histories", HISTORIES, ...SECONDS, "--seed", SEED],
    { timeoutMs: LIMIT_MS },
  );
  console.info(stdout);
  // Thrown, so that a failure shows the histories that failed, whole, and the seed to play them again.
  if (status !== 0 || stderr !== "")
    throw new Error(`random histories end with status ${status}:\n${stdout}${stderr}`);
});
