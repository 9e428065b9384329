/** `fairlead version` */
import { VERSION } from "../../lib/version.ts";
import { defineCommand } from "../base/spec.ts";
import { formatJson } from "../output/json.ts";

export const version = defineCommand({
  name: "version",
  summary: "Show the version of Fairlead and of what it runs on",
  arguments: [],
  options: { json: { kind: "switch", description: "As JSON" } },
  manual: {
    description:
      "Prints one line: the version, the JavaScript runtime inside, operating system and processor.",
    examples: [{ text: "The version alone", command: "fairlead version --json | jq -r .version" }],
    exitStatus: [[0, "Always."]],
    seeAlso: ["help"],
  },
  run: async ({ options }, io) => {
    const facts = versionFacts();
    const { version: own, runtime, platform } = facts;
    await io.out(options.json ? formatJson(facts) : `fairlead ${own} (${runtime}, ${platform})\n`);
    return 0;
  },
});

function versionFacts(): { version: string; runtime: string; platform: string } {
  const { bun, node } = process.versions as { bun?: string; node: string };
  const runtime = bun === undefined ? `node ${node}` : `bun ${bun}`;
  return { version: VERSION, runtime, platform: `${process.platform} ${process.arch}` };
}
