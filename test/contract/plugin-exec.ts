/**
 * What every `Exec` that plugins are run through must do: the real one and the fake of the unit tests take the same exam.
 *
 * The subject gives a folder of programs: `echo` copies stdin to stdout, `env` prints the variable `CNI_COMMAND`,
 * `fail` prints `no` and ends with status 3, `data` is there but cannot be executed.
 */
import type { Exec } from "../../lib/cni/delegate.ts";
import { FairleadError } from "../../lib/errors.ts";

export interface ExecSubject {
  readonly exec: Exec;
  /** Path of a program or file by name. */
  path(name: string): string;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (output: Uint8Array): string => new TextDecoder().decode(output);

export function pluginExecContract(name: string, newSubject: () => ExecSubject): void {
  describe(`exec contract: ${name}`, () => {
    const run = (program: string, input = "", env: Record<string, string> = {}) => {
      const { exec, path } = newSubject();
      return exec.execFile({ path: path(program), env, stdin: bytes(input) });
    };

    test("finds regular files only", () => {
      const { exec, path } = newSubject();
      expect(["echo", "data", "nosuch", "."].map((file) => exec.isRegularFile(path(file)))).toEqual([
        true,
        true,
        false,
        false,
      ]);
    });

    test("hands over stdin and takes stdout, byte for byte", () => {
      const outcome = run("echo", '{"ü":1}\n');
      expect({ ...outcome, stdout: textOf(outcome.stdout) }).toEqual({
        status: 0,
        signal: null,
        stdout: '{"ü":1}\n',
      });
    });

    test("gives exactly the environment it is given", () => {
      expect(textOf(run("env", "", { CNI_COMMAND: "DEL" }).stdout)).toBe("DEL");
    });

    test("a failing status is a result", () => {
      const { status, stdout } = run("fail");
      expect([status, textOf(stdout)]).toEqual([3, "no"]);
    });

    test.each(["nosuch", "data"])("%s cannot be started: plugin-not-found", (program) => {
      expect(() => run(program)).toThrow(FairleadError);
      expect(() => run(program)).toThrow(expect.objectContaining({ code: "plugin-not-found" }));
    });
  });
}
