import type { Command } from "commander";
import { VERSION } from "../../lib/version.ts";
import type { Io } from "../io.ts";
import { formatJson } from "../output/json.ts";

/** `fairlead version` */
export function addVersionCommand(program: Command, io: Io): void {
  program
    .command("version")
    .description("show the version of Fairlead and of what it runs on")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const facts = versionFacts();
      const { version, runtime, platform } = facts;
      await io.out(json ? formatJson(facts) : `fairlead ${version} (${runtime}, ${platform})\n`);
    });
}

function versionFacts(): { version: string; runtime: string; platform: string } {
  const { bun, node } = process.versions as { bun?: string; node: string };
  const runtime = bun === undefined ? `node ${node}` : `bun ${bun}`;
  return { version: VERSION, runtime, platform: `${process.platform} ${process.arch}` };
}
