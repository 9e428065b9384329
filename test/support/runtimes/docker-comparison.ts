/** Runs the same commands with Docker and with Fairlead, and says where the answers differ. */
import type { CommandOutcome } from "../lab/lab-process.ts";

/** One of the two that are compared. */
export interface Side {
  /** `docker network …` and `fairlead network …`. */
  network(args: readonly string[]): Promise<CommandOutcome>;
  /** The whole ID of a network. */
  networkId(name: string): Promise<string>;
  runContainer(name: string, network: string): Promise<unknown>;
  removeContainer(name: string): Promise<unknown>;
  /** What this side calls a container that the list of commands calls `name`. */
  containerName(name: string): string;
  /** Its messages, without what marks them as its own. */
  plain(text: string): string;
}

/**
 * One step: the words behind `network`, in which `%NAME` stands for a container and `%id:NAME` for the ID of a
 * network; or `@run CONTAINER NETWORK`, `@rm CONTAINER`, `@forget NETWORK…` (those of them that are there), which are not
 * compared.
 */
export type Step = readonly string[];

export const ASPECTS = ["status", "stdout", "stderr"] as const;
export type Aspect = (typeof ASPECTS)[number];

/** What one side said where the two said different things. */
export type Answer = Readonly<Record<Aspect, string>>;

export interface Difference {
  /** The command as people would write it. */
  readonly command: string;
  readonly docker: Answer;
  readonly fairlead: Answer;
}

export async function compare(steps: readonly Step[], docker: Side, fairlead: Side): Promise<Difference[]> {
  const differences: Difference[] = [];
  /** What a side calls a container, and what the steps call it. */
  const names = new Map<string, string>();
  for (const step of steps) {
    const [ours, theirs] = [await perform(step, fairlead, names), await perform(step, docker, names)];
    if (ours === null || theirs === null) continue;
    if (ASPECTS.every((aspect) => ours[aspect] === theirs[aspect])) continue;
    differences.push({ command: ["network", ...step.map(quoted)].join(" "), docker: theirs, fairlead: ours });
  }
  return differences;
}

function quoted(word: string): string {
  return /^[\w%@:./=,-]+$/.test(word) ? word : `'${word}'`;
}

/** Null for a step that is not compared. */
async function perform(step: Step, side: Side, names: Map<string, string>): Promise<Answer | null> {
  if (step[0]?.startsWith("@")) {
    await prepare(step, side);
    return null;
  }
  const args = await Promise.all(step.map((word) => fillIn(word, side, names)));
  const { status, stdout, stderr } = await side.network(args);
  const told = (text: string): string => normalise(side.plain(restore(text, names)));
  return { status: String(status), stdout: summarise(told(stdout)), stderr: told(stderr) };
}

async function prepare([what, first = "", ...rest]: Step, side: Side): Promise<void> {
  if (what === "@run") await side.runContainer(side.containerName(first), rest[0] ?? "");
  if (what === "@rm") await side.removeContainer(side.containerName(first));
  if (what === "@forget") for (const name of [first, ...rest]) await side.network(["rm", name]);
}

async function fillIn(word: string, side: Side, names: Map<string, string>): Promise<string> {
  const [, kind, name = ""] = /^%(id:)?(.*)$/.exec(word) ?? [];
  if (!word.startsWith("%")) return word;
  if (kind !== undefined) return side.networkId(name);
  const own = side.containerName(name);
  names.set(own, name);
  return own;
}

function restore(text: string, names: ReadonlyMap<string, string>): string {
  return [...names].reduce((all, [own, name]) => all.replaceAll(own, name), text);
}

/** What is different by nature: IDs, instants, and the addresses of default pools. */
function normalise(text: string): string {
  return text
    .replace(/\b[0-9a-f]{64}\b/g, "<id>")
    .replace(/\b[0-9a-f]{12}\b/g, "<short>")
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC)/g, "<instant>")
    .trimEnd();
}

/** Of JSON its shape, of other texts all of it. */
function summarise(text: string): string {
  if (!text.startsWith("[\n")) return text;
  return (JSON.parse(text) as unknown[]).map(shapeOf).join(" ");
}

/** Keys in their order, with the kinds of their values: `{Name:text,IPAM:{…}}`. */
function shapeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(shapeOf).join(",")}]`;
  if (typeof value !== "object")
    return { string: "text", boolean: "flag", number: "number" }[typeof value as "string"];
  return `{${Object.entries(value)
    .map(([key, field]) => `${key}:${shapeOf(field)}`)
    .join(",")}}`;
}
