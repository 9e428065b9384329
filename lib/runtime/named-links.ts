/**
 * Legacy links of containers (`--link name:alias`): whom a container on the predefined network `bridge` may call by name.
 *
 * One file a container, `<runDir>/links/<containerId>.json`: `{"links": ["name:alias"]}`. Whoever attaches the container
 * writes it before the ADD, and removes it after the last DEL; the agent reads it when the container's attachments
 * change. It lies under /run because a link lasts as long as the container.
 */
import { isHostName } from "../addr/host-name.ts";
import { FairleadError } from "../errors.ts";
import { makeDirectories, readFileIfExists, removeFile, writeFileDurable } from "../linux/files/files.ts";

const DIRECTORY_MODE = 0o700;
const LONGEST_FILE_BYTES = 64 * 1024;
const MOST_LINKS = 64;

/** Another container, and what this one calls it. */
export interface ContainerLink {
  readonly target: string;
  readonly alias: string;
}

/** Whose links, and where they are kept. */
export interface LinksOwner {
  /** `/run/fairlead`, but for tests. */
  readonly runDir: string;
  readonly containerId: string;
}

function pathOf({ runDir, containerId }: LinksOwner): string {
  return `${runDir}/links/${containerId}.json`;
}

/**
 * Parses `name:alias`; `name` alone is its own alias.
 *
 * @throws FairleadError invalid-config
 */
export function parseContainerLink(text: string): ContainerLink {
  const [target = "", alias = target, ...rest] = text.split(":");
  if (rest.length === 0 && isHostName(target) && isHostName(alias)) return { target, alias };
  throw new FairleadError({
    code: "invalid-config",
    operation: "read link",
    object: JSON.stringify(text.slice(0, 80)),
    reason: "it is not NAME:ALIAS",
    hint: "write the container's name, a colon, and the name to call it by",
  });
}

/**
 * Writes the links of a container, in place of those that it had. None: the file goes.
 *
 * @throws FairleadError invalid-config for a link that is none; SyscallError
 */
export function writeContainerLinks(owner: LinksOwner, links: readonly string[]): void {
  const parsed = links.map(parseContainerLink);
  if (parsed.length > MOST_LINKS) throw tooMany(parsed.length);
  if (parsed.length === 0) {
    removeContainerLinks(owner);
    return;
  }
  makeDirectories(`${owner.runDir}/links`, DIRECTORY_MODE);
  const content = { links: parsed.map(({ target, alias }) => `${target}:${alias}`) };
  writeFileDurable(pathOf(owner), new TextEncoder().encode(`${JSON.stringify(content)}\n`));
}

function tooMany(count: number): FairleadError {
  const reason = `there are ${count}, at most ${MOST_LINKS} are allowed`;
  return new FairleadError({ code: "invalid-config", operation: "write links", reason });
}

/** Absent links: success. @throws SyscallError */
export function removeContainerLinks(owner: LinksOwner): void {
  removeFile(pathOf(owner));
}

/** The links of a container; none when nobody wrote any. @throws FairleadError decode-failure; SyscallError */
export function readContainerLinks(owner: LinksOwner): readonly ContainerLink[] {
  const bytes = readFileIfExists(pathOf(owner), { maxBytes: LONGEST_FILE_BYTES });
  return bytes === null ? [] : parseFile(new TextDecoder().decode(bytes), pathOf(owner));
}

function parseFile(text: string, path: string): readonly ContainerLink[] {
  try {
    const { links } = JSON.parse(text) as { links: string[] };
    return links.map(parseContainerLink);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new FairleadError({
      code: "decode-failure",
      operation: "read links",
      object: path,
      reason,
      cause,
    });
  }
}
