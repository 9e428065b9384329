/** The files of the runtimes' cache of results, as the agent goes through them: without blocking, and ready for what comes and goes. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Where they are. @param cacheDir libcni's `CacheDir` */
export function resultsFolder(cacheDir: string): string {
  return join(cacheDir, "results");
}

/** Their names, without those that are being written; none where there is no such folder. Rejects with what readdir says. */
export async function resultNamesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith("."));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}
