/** Completion in the real shells, on a terminal: what appears when Tab is pressed. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServerLab, type ServerProcess } from "../support/ipam/ipam-server-process.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { labEnvironment, requireTools } from "../support/lab/lab-process.ts";
import { Terminal } from "../support/terminal.ts";

jest.setTimeout(120_000);

const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");
const PROMPT = "ready>";

let lab: ServerLab;
let server: ServerProcess;

beforeAll(async () => {
  requireTools("bash", "zsh", "fish", "script");
  lab = new ServerLab();
  server = await lab.start();
  for (const name of ["completable-one", "completable-two"]) {
    execFileSync(
      FAIRLEAD,
      ["network", "create", "--socket", lab.socket, "--agent-socket", "/nonexistent", name],
      {
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
  }
});

afterAll(async () => {
  await server.end("SIGTERM");
  lab.remove();
});

/** Starts a shell with its completion loaded the way its users load it. */
function open(shell: "bash" | "zsh" | "fish"): Terminal {
  const file = (name: string, text: string): string => {
    const path = join(lab.directory, name);
    writeFileSync(path, text);
    return path;
  };
  const path = `${FAIRLEAD_DIRECTORY}:${labEnvironment()["PATH"]}`;
  const env = { PATH: path, HOME: lab.directory, PS1: PROMPT };
  if (shell === "bash") {
    const lines = [
      `PS1='${PROMPT}'`,
      ". /usr/share/bash-completion/bash_completion",
      "bind 'set bell-style none'",
    ];
    const rc = file("bashrc", [...lines, "source <(fairlead completion bash)", ""].join("\n"));
    return new Terminal(`bash --rcfile ${rc} -i`, env);
  }
  if (shell === "zsh") {
    file(
      ".zshrc",
      `PS1='${PROMPT}'\nautoload -Uz compinit && compinit -u\nsource <(fairlead completion zsh)\n`,
    );
    return new Terminal("zsh -i", { ...env, ZDOTDIR: lab.directory });
  }
  const init = `function fish_prompt; echo -n '${PROMPT}'; end; fairlead completion fish | source`;
  return new Terminal(`fish --private -i -C ${JSON.stringify(init)}`, env);
}

describe.each(["bash", "zsh", "fish"] as const)("%s", (shell) => {
  let terminal: Terminal;
  beforeAll(async () => {
    terminal = open(shell);
    await terminal.waitFor(new RegExp(PROMPT));
  });
  afterAll(() => terminal.close());
  // Ctrl-U empties the line, Enter gives a new prompt.
  afterEach(async () => {
    terminal.type("\u0015\r");
    await terminal.waitFor(new RegExp(PROMPT));
  });

  test("a command is completed", async () => {
    terminal.type("fairlead netw\t");
    await terminal.waitFor(/fairlead network /);
    terminal.type("crea\t");
    await terminal.waitFor(/create /);
  });

  test("commands are listed", async () => {
    // bash lists at the second Tab, the others at the first.
    terminal.type(`fairlead network ${shell === "bash" ? "\t\t" : "\t"}`);
    await terminal.waitFor(/connect[\s\S]*create[\s\S]*disconnect[\s\S]*inspect/);
  });

  test("options are completed", async () => {
    terminal.type("fairlead network create --aux\t");
    await terminal.waitFor(/--aux-address/);
  });

  test("values of options are completed, behind a blank and behind =", async () => {
    terminal.type("fairlead network create --driver macv\t");
    await terminal.waitFor(/macvlan/);
    terminal.type("--ipam-driver=fairl\t");
    await terminal.waitFor(/--ipam-driver=fairlead/);
  });

  test("networks that are there are completed", async () => {
    terminal.type(`fairlead network rm --socket ${lab.socket} completa\t`);
    await terminal.waitFor(/completable-/);
    terminal.type("tw\t");
    await terminal.waitFor(/completable-two|two/);
  });

  test("files are completed by the shell itself", async () => {
    terminal.type(`fairlead server --config ${lab.directory}/server.ya\t`);
    await terminal.waitFor(/server\.yaml/);
  });
});
