/** Room on the file systems that this node writes to: without it no network, no lease and no attachment can be kept. */
import { statfs } from "node:fs/promises";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";

/** Less is as good as none: the service's log of changes is as large. */
const LEAST_BYTES = 8 * 1024 * 1024;

/** One problem for each folder without room. What is not there has none. */
export async function diskProblems(folders: readonly string[]): Promise<AgentProblem[]> {
  const problems: AgentProblem[] = [];
  for (const folder of folders) {
    const reason = await lackOf(folder);
    if (reason !== "") problems.push({ severity: "error", object: folder, message: `${folder}: ${reason}` });
  }
  return problems;
}

async function lackOf(folder: string): Promise<string> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(folder);
    if (bavail * bsize < LEAST_BYTES)
      return `its file system has ${Math.floor((bavail * bsize) / 1024)} KiB left; make room (df ${folder})`;
    return files > 0 && ffree === 0
      ? `its file system has no inode left; remove files (df -i ${folder})`
      : "";
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw thrown;
  }
}
