/** The command line in the process of a test, without a terminal. */
import { main } from "../../cli/main.ts";

export interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export async function run(argv: readonly string[], columns: number | null = null): Promise<Run> {
  const [out, err]: [string[], string[]] = [[], []];
  const status = await main(argv, {
    out: async (text) => void out.push(text),
    err: async (text) => void err.push(text),
    columns,
  });
  return { status, out: out.join(""), err: err.join("") };
}
