/** `fairlead help` */
import { type CommandSpec, defineCommand, type TreeEntry } from "../base/spec.ts";

/** @param tree all that there is to help with. */
export const helpCommand = (tree: readonly TreeEntry[]): CommandSpec =>
  defineCommand({
    name: "help",
    summary: "Show the help of a command, or the manual pages",
    arguments: [{ name: "COMMAND", optional: true, several: true, description: "Its words" }],
    options: {
      man: {
        kind: "text",
        value: "dir",
        complete: "directory",
        description:
          "Write the manual pages of all commands into this directory, as *.1, and print their names",
      },
    },
    manual: {
      description: `
\`fairlead help network create\` is \`fairlead network create --help\`. Help goes to stdout, so that it can be searched and paged.`,
      examples: [
        { text: "One command", command: "fairlead help network create" },
        {
          text: "The manual pages, where man finds them",
          command: "fairlead help --man /usr/local/share/man/man1",
        },
      ],
      exitStatus: [
        [0, "Success."],
        [1, "A file could not be written."],
        [2, "There is no such command."],
      ],
      seeAlso: ["completion"],
    },
    run: async ({ args, options }, io) => {
      const { showHelp, writeManPages } = await import("./help-run.ts");
      return options.man === undefined ? showHelp(tree, args, io) : writeManPages(tree, options.man, io);
    },
  });
