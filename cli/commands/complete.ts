/** `fairlead __complete`: what the completion scripts ask. */
import { type CommandSpec, defineCommand, type TreeEntry } from "../base/spec.ts";

/** @param tree all that can be completed. */
export const completeCommand = (tree: readonly TreeEntry[]): CommandSpec =>
  defineCommand({
    name: "__complete",
    summary: "Print what may come next on a command line",
    hidden: true,
    arguments: [{ name: "WORD", optional: true, several: true }],
    options: {},
    passThrough: true,
    manual: { description: "For the completion scripts.", examples: [] },
    run: async ({ args }, io) => {
      const { complete } = await import("../completion/candidates.ts");
      const { nameSource } = await import("../completion/names.ts");
      const found = await complete(tree, args, nameSource(io));
      if (found.kind !== "words") await io.out(`:${found.kind}\n`);
      else await io.out(found.words.map(({ text, description }) => `${line(text, description)}\n`).join(""));
      return 0;
    },
  });

function line(text: string, description: string | undefined): string {
  return description === undefined ? text : `${text}\t${description}`;
}
