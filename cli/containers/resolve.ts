/**
 * Finds the container that somebody means: by name, by ID, or by the beginning of an ID.
 *
 * Sandboxes first, then podman, Docker, containerd. An exact name or ID ends the search, so what is nearer is found
 * faster and hides what has the same name further on; `podman:NAME` asks one runtime only. The beginning of an ID must
 * mean one container of all.
 */
import { WordedError } from "../base/worded-error.ts";
import type { Candidate, Container, ContainerKind, ContainerSource } from "./container.ts";

/** A shorter beginning is a slip more often than a wish. */
const SHORTEST_PREFIX = 2;

/**
 * @throws WordedError `unknown-container` in Docker's words; `invalid-config` naming what an ambiguous ID may mean.
 */
export async function resolveContainer(
  text: string,
  sources: readonly ContainerSource[],
): Promise<Container> {
  const found = await findCandidate(text, sources);
  if (found !== null) return found.describe();
  throw new WordedError("unknown-container", `No such container: ${text}`);
}

/** Null when there is none. @throws WordedError when several are meant. */
async function findCandidate(text: string, sources: readonly ContainerSource[]): Promise<Candidate | null> {
  const { reference, asked } = splitReference(text, sources);
  const byPrefix: Candidate[] = [];
  for (const source of asked) {
    const candidates = await source.candidates(reference);
    const exact = candidates.filter((candidate) => isExactly(candidate, reference));
    if (exact.length > 0) return only(reference, exact);
    byPrefix.push(...candidates.filter((candidate) => isPrefix(reference, candidate)));
  }
  return byPrefix.length === 0 ? null : only(reference, byPrefix);
}

function splitReference(
  text: string,
  sources: readonly ContainerSource[],
): { reference: string; asked: readonly ContainerSource[] } {
  const colon = text.indexOf(":");
  const kind = text.slice(0, Math.max(colon, 0)) as ContainerKind;
  const asked = sources.filter((source) => source.kind === kind);
  return asked.length > 0 ? { reference: text.slice(colon + 1), asked } : { reference: text, asked: sources };
}

function isExactly({ id, names, references = [] }: Candidate, reference: string): boolean {
  return id === reference || names.includes(reference) || references.includes(reference);
}

function isPrefix(reference: string, { id, references = [] }: Candidate): boolean {
  return (
    reference.length >= SHORTEST_PREFIX && [id, ...references].some((text) => text.startsWith(reference))
  );
}

function only(reference: string, candidates: readonly Candidate[]): Candidate {
  const [first, ...others] = candidates;
  if (first !== undefined && others.length === 0) return first;
  const matches = candidates.map(({ kind, id, names }) => `${kind}:${names[0] ?? id} (${id.slice(0, 20)})`);
  throw new WordedError(
    "invalid-config",
    `container ${reference} is ambiguous: it means ${matches.join(", ")}; write more of the ID, or the runtime before it`,
  );
}
