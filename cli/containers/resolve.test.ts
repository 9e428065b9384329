import type { Candidate, ContainerKind, ContainerSource } from "./container.ts";
import { resolveContainer } from "./resolve.ts";

const candidate = (kind: ContainerKind, id: string, ...names: string[]): Candidate => ({
  kind,
  id,
  names,
  describe: () => ({ kind, id, name: names[0] ?? id, netns: "/n", mode: "own" }),
});

const asked: string[] = [];
const source = (kind: ContainerKind, ...candidates: Candidate[]): ContainerSource => ({
  kind,
  candidates: (reference) => {
    asked.push(`${kind}:${reference}`);
    return candidates;
  },
});

const SOURCES = [
  source("sandbox", candidate("sandbox", "aa11", "web")),
  source("podman", candidate("podman", "bb22", "web"), candidate("podman", "bb33", "db")),
  source("containerd", candidate("containerd", "aa99", "job"), candidate("containerd", "default-x1", "x1")),
];

beforeEach(() => {
  asked.length = 0;
});

test.each([
  ["web", "aa11", "the nearest of a name"],
  ["podman:web", "bb22", "a name of one runtime"],
  ["bb33", "bb33", "an ID"],
  ["bb2", "bb22", "the beginning of an ID"],
  ["job", "aa99", "a name further on"],
])("%s is %s: %s", async (reference, id) => {
  expect((await resolveContainer(reference, SOURCES)).id).toBe(id);
});

test("an exact name ends the search; a runtime that is named is asked alone", async () => {
  await resolveContainer("web", SOURCES);
  await resolveContainer("podman:db", SOURCES);
  expect(asked).toEqual(["sandbox:web", "podman:db"]);
});

test("a beginning that several IDs have is refused, with what it may mean", async () => {
  await expect(resolveContainer("aa", SOURCES)).rejects.toThrow(
    "container aa is ambiguous: it means sandbox:web (aa11), containerd:job (aa99)",
  );
});

test.each(["nosuch", "a", "", "docker:web", "sandbox:db"])(
  "%j means nothing, in Docker's words",
  async (text) => {
    await expect(resolveContainer(text, SOURCES)).rejects.toThrow(`No such container: ${text}`);
  },
);
