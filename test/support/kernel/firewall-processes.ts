/** Many processes that change one firewall at once. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestNetns } from "./netns.ts";

/** The runtime of the built executable; it also starts five times as fast as Node. */
const BUN = join(__dirname, "../../../node_modules/.bin/bun");
const SCRIPT = join(__dirname, "firewall-process.ts");

/** One verb of `firewall-process.ts`. */
export interface FirewallJob {
  readonly verb: string;
  readonly spec: object;
}

/** Makes one file of the script and all that it imports, which starts sooner. */
function bundle(folder: string): string {
  const outfile = join(folder, "firewall-process.js");
  execFileSync(BUN, ["build", "--target=bun", `--outfile=${outfile}`, SCRIPT], { stdio: "pipe" });
  return outfile;
}

/** Starts a process a job in `netns`, lets them go at once, and gives what each one complained about. */
export async function runAtOnce(netns: TestNetns, jobs: readonly FirewallJob[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "fl-firewall-"));
  try {
    return await runAll(netns, jobs, bundle(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runAll(netns: TestNetns, jobs: readonly FirewallJob[], script: string): Promise<string[]> {
  const processes = jobs.map(({ verb, spec }) => {
    const args = [script, verb, JSON.stringify(spec)];
    return spawn("nsenter", [`--net=${netns.path}`, BUN, ...args], { stdio: "pipe" });
  });
  const ends = processes.map(async (child) => {
    let complaint = "";
    child.stderr.on("data", (data) => {
      complaint += data;
    });
    const [status] = await once(child, "close");
    return status === 0 ? "" : `${status}: ${complaint}`;
  });
  // One that ends before it is ready has a complaint.
  await Promise.all(processes.map((child, at) => Promise.race([once(child.stdout, "data"), ends[at]])));
  for (const child of processes) child.stdin.end();
  return (await Promise.all(ends)).filter((complaint) => complaint !== "");
}
