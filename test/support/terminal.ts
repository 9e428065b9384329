/** A program on a terminal of its own, to type into and to read what appears. Uses script(1) of util-linux. */
import { type ChildProcess, spawn } from "node:child_process";
import { labEnvironment, waitUntil } from "./lab/lab-process.ts";

const WAIT_MS = 15_000;

const [ESCAPE, BELL] = ["\u001b", "\u0007"];
/** Source: ECMA-48; xterm's control sequences. */
const ESCAPE_SEQUENCE = new RegExp(
  `${ESCAPE}(\\[[0-9;?>]*[a-zA-Z]|[()][A-Z0-9]|\\][^${BELL}]*${BELL}|[=>])`,
  "g",
);

export class Terminal {
  readonly #child: ChildProcess;
  #shown = "";

  /** @param line what is run on the terminal, as a line for sh. */
  constructor(line: string, env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn("script", ["-qfec", line, "/dev/null"], {
      env: { ...labEnvironment(), TERM: "xterm", LINES: "40", COLUMNS: "120", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#shown += chunk.toString("utf8");
    });
  }

  /** What has appeared since the last {@link type}, without escape sequences. */
  get shown(): string {
    return this.#shown.replace(ESCAPE_SEQUENCE, "").replaceAll(BELL, "");
  }

  /** Types `text`, a key after the other. */
  type(text: string): void {
    this.#shown = "";
    this.#child.stdin?.write(text);
  }

  /** @throws with what was shown when it does not appear in time. */
  async waitFor(pattern: RegExp): Promise<void> {
    if (await waitUntil(async () => pattern.test(this.shown), WAIT_MS)) return;
    throw new Error(`${pattern} did not appear: ${JSON.stringify(this.shown)}`);
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    this.#child.kill("SIGHUP");
    await waitUntil(async () => this.#child.exitCode !== null || this.#child.signalCode !== null, WAIT_MS);
  }
}
