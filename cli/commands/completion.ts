/** `fairlead completion` */
import { defineCommand } from "../base/spec.ts";

export const completion = defineCommand({
  name: "completion",
  summary: "Print the completion script of a shell",
  arguments: [{ name: "SHELL", complete: ["bash", "zsh", "fish"], description: "bash, zsh or fish" }],
  options: {},
  manual: {
    description: `
Commands, options, their values, and the names of networks and containers that are there at the moment. \`./build.sh install\` puts
the scripts where the shells look for them.`,
    examples: [
      { text: "bash, in this session", command: "source <(fairlead completion bash)" },
      {
        text: "zsh, for good",
        command: "fairlead completion zsh > /usr/local/share/zsh/site-functions/_fairlead",
      },
      {
        text: "fish, for good",
        command: "fairlead completion fish > ~/.config/fish/completions/fairlead.fish",
      },
    ],
    exitStatus: [
      [0, "Success."],
      [2, "There is no script for this shell."],
    ],
    seeAlso: ["help"],
  },
  run: async ({ args: [shell = ""] }, io) => {
    const { SCRIPTS, SHELLS } = await import("../completion/scripts.ts");
    const known = SHELLS.find((name) => name === shell);
    if (known === undefined) {
      await io.err(
        `fairlead: there is no completion for shell ${JSON.stringify(shell)}; there is for ${SHELLS.join(", ")}\n`,
      );
      return 2;
    }
    await io.out(SCRIPTS[known]);
    return 0;
  },
});
