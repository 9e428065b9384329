/** What `fairlead help` does. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../lib/version.ts";
import type { Io } from "../base/io.ts";
import type { GroupSpec, TreeEntry } from "../base/spec.ts";
import { formatManPage } from "../help/man.ts";
import { misspelled } from "../help/misspelled.ts";
import { isGroup, PROGRAM, type Spec } from "../help/sections.ts";
import { formatHelp } from "../help/text.ts";

const USAGE_STATUS = 2;

type Tree = readonly TreeEntry[];

export async function showHelp(tree: Tree, words: readonly string[], io: Io): Promise<number> {
  let spec: Spec = await wholeProgram(tree);
  let path = PROGRAM;
  for (const word of words) {
    const inside: readonly Spec[] = isGroup(spec) ? spec.commands : [];
    const next = inside.find(({ name, aliases = [] }) => name === word || aliases.includes(word));
    if (next === undefined) {
      await io.err(misspelled(word, path, inside));
      return USAGE_STATUS;
    }
    [spec, path] = [next, `${path} ${next.name}`];
  }
  await io.out(formatHelp(spec, path, io.columns));
  return 0;
}

/** One page for the program and one for each group and command, `fairlead-network-create.1`. */
export async function writeManPages(tree: Tree, directory: string, io: Io): Promise<number> {
  mkdirSync(directory, { recursive: true });
  for (const { spec, path } of await allSpecs(tree)) {
    const file = join(directory, `${path.replaceAll(" ", "-")}.1`);
    writeFileSync(file, formatManPage(spec, { path, version: VERSION }));
    await io.out(`${file}\n`);
  }
  return 0;
}

export interface Placed {
  readonly spec: Spec;
  /** `fairlead network create` */
  readonly path: string;
}

/** The program, its groups and its commands, without the hidden ones. */
export async function allSpecs(tree: Tree): Promise<readonly Placed[]> {
  const walk = (spec: Spec, path: string): Placed[] => {
    const inside: readonly Spec[] = isGroup(spec) ? spec.commands : [];
    const shown = inside.filter(({ hidden }) => hidden !== true);
    return [{ spec, path }, ...shown.flatMap((one) => walk(one, `${path} ${one.name}`))];
  };
  return walk(await wholeProgram(tree), PROGRAM);
}

/** The program as a group of its commands. */
async function wholeProgram(tree: Tree): Promise<GroupSpec> {
  const loaded = await Promise.all(tree.filter(({ hidden }) => hidden !== true).map(({ load }) => load()));
  return {
    name: PROGRAM,
    summary: "Docker's network model for any CNI runtime",
    // A group inside the group: the type says commands, every reader here asks isGroup.
    commands: loaded as unknown as GroupSpec["commands"],
    manual: {
      description: `
Networks as objects, names, isolation, connect and disconnect: for containerd, CRI-O, podman, Nomad, and for network
namespaces with no runtime at all.

Every command has its own help: \`fairlead help COMMAND\`.`,
      examples: [
        { text: "Start everything on this machine, without configuration", command: "fairlead dev" },
        { text: "Make a network", command: "fairlead network create web" },
        { text: "How full the pools are", command: "fairlead ipam status" },
        { text: "Who has had an address, and when", command: "fairlead ipam history 10.77.0.5" },
      ],
      seeAlso: ["network", "ipam", "dev"],
    },
  };
}
