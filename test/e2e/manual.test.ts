/** The manual pages, read by man itself: it must find nothing to warn of, and apropos must find the pages. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { command, requireTools, tryCommand } from "../support/lab/lab-process.ts";

const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");
const directory = mkdtempSync(join(tmpdir(), "fairlead-man-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

jest.setTimeout(120_000);

test("man reads every page without a warning", async () => {
  requireTools("man", "lexgrog");
  const pages = (await command([FAIRLEAD, "help", "--man", directory])).trim().split("\n");
  expect(pages).toContain(join(directory, "fairlead-network-create.1"));
  for (const page of pages) {
    const { status, stdout, stderr } = await tryCommand(["man", "--warnings", "-E", "UTF-8", "-l", page]);
    expect([page, status, stderr]).toEqual([page, 0, ""]);
    expect(stdout).toMatch(/NAME\n {7}fairlead[\s\S]*SYNOPSIS\n[\s\S]*EXIT STATUS\n/);
    expect(await command(["lexgrog", page])).toMatch(/: "fairlead.* - .*"\n$/);
  }
});

test("the help of every command is reachable by its words", async () => {
  expect(await command([FAIRLEAD, "help", "network", "create"])).toBe(
    await command([FAIRLEAD, "network", "create", "--help"]),
  );
  expect(await command([FAIRLEAD, "help"])).toContain("\nCommands:\n");
  expect(await tryCommand([FAIRLEAD, "help", "network", "crate"])).toMatchObject({
    status: 2,
    stderr:
      "fairlead: unknown command: network crate; did you mean create?\nSee 'fairlead network --help'.\n",
  });
});
