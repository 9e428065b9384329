/**
 * The CNI_* variables of one invocation, checked against one table.
 *
 * Only the variables that the verb requires are validated; runtimes fill the others with placeholders
 * (libcni sends `CNI_IFNAME=` for GC and `CNI_NETNS=dummy` for VERSION).
 *
 * Source: CNI SPEC 1.1.0, "Parameters"; texts and order of the checks as in pkg/skel/skel.go of the
 * reference library.
 */
import { ifnameProblem } from "../addr/ifname.ts";
import { FairleadError } from "../errors.ts";

const VERBS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;

export type Verb = (typeof VERBS)[number];

/** The process environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says, for the verbs that act on an attachment. Empty text: not given. */
export interface CniEnvironment {
  readonly verb: Verb;
  readonly containerId: string;
  /** Path of the container netns. Never checked against the file system here. */
  readonly netns: string;
  readonly ifname: string;
  /** `CNI_ARGS` as it came; see {@link parseCniArgs}. */
  readonly args: string;
  /** Directories in which delegates are looked for, in order. */
  readonly path: readonly string[];
  /** True when the runtime allows that the container netns is the plugin's own. */
  readonly netnsOverride: boolean;
}

interface Variable {
  readonly name: string;
  readonly requiredBy: readonly Verb[];
  /** What is wrong with a non-empty value, or null. */
  readonly fault: (value: string) => string | null;
}

const ACCEPT_ANY = () => null;

/** Order matters: the first invalid value is the one reported. */
const VARIABLES: readonly Variable[] = [
  { name: "CNI_CONTAINERID", requiredBy: ["ADD", "DEL", "CHECK"], fault: containerIdFault },
  { name: "CNI_NETNS", requiredBy: ["ADD", "CHECK"], fault: ACCEPT_ANY },
  { name: "CNI_IFNAME", requiredBy: ["ADD", "DEL", "CHECK"], fault: ifnameFault },
  { name: "CNI_PATH", requiredBy: ["GC"], fault: ACCEPT_ANY },
];

/** Container IDs and network names share this rule, because both end up in paths and in keys. */
const IDENTIFIER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** True for what may be a container ID or a network name. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

function containerIdFault(value: string): string | null {
  return isIdentifier(value)
    ? null
    : "invalid characters in containerID; it must start with a letter or digit and go on with those, _ . or -";
}

function ifnameFault(value: string): string | null {
  const problem = ifnameProblem(value);
  return problem === null ? null : `not an interface name: ${problem}`;
}

/**
 * Reads and checks the variables of one invocation.
 *
 * @returns null when `CNI_COMMAND` is not set: somebody started the plugin by hand.
 * @throws FairleadError `invalid-environment` naming the variables that are missing (all of them) or wrong
 * (the first).
 */
export function readEnvironment(env: Environment): CniEnvironment | null {
  const verb = env["CNI_COMMAND"] ?? "";
  if (verb === "") return null;
  if (!isVerb(verb)) {
    throw environmentError(`unknown CNI_COMMAND: ${verb}`, `use one of ${VERBS.join(", ")}`);
  }
  checkVariables(env, verb);
  return {
    verb,
    containerId: env["CNI_CONTAINERID"] ?? "",
    netns: env["CNI_NETNS"] ?? "",
    ifname: env["CNI_IFNAME"] ?? "",
    args: env["CNI_ARGS"] ?? "",
    path: (env["CNI_PATH"] ?? "").split(":").filter((directory) => directory !== ""),
    netnsOverride: isOn(env["CNI_NETNS_OVERRIDE"] ?? ""),
  };
}

function isVerb(text: string): text is Verb {
  return (VERBS as readonly string[]).includes(text);
}

function isOn(value: string): boolean {
  return value === "1" || value.toLowerCase() === "true";
}

function checkVariables(env: Environment, verb: Verb): void {
  const missing: string[] = [];
  for (const { name, requiredBy, fault } of VARIABLES) {
    if (!requiredBy.includes(verb)) continue;
    const value = env[name] ?? "";
    if (value === "") missing.push(name);
    else refuseFault(name, value, fault(value));
  }
  if (missing.length > 0) {
    throw environmentError(
      `required env variables [${missing.join(",")}] missing`,
      `set them for CNI_COMMAND=${verb}`,
    );
  }
}

function refuseFault(name: string, value: string, fault: string | null): void {
  if (fault !== null) throw environmentError(fault, `${name} is ${JSON.stringify(value)}`, name);
}

function environmentError(reason: string, hint: string, object = ""): FairleadError {
  return new FairleadError({
    code: "invalid-environment",
    operation: "read environment",
    object,
    reason,
    hint,
  });
}

/**
 * Reads `CNI_ARGS`: pairs `KEY=VALUE` separated by `;`.
 *
 * @param knownKeys the keys that the plugin understands, in the exact case. Any other key is an error unless the
 * pair `IgnoreUnknown=1` (or `true`) is among them, which kubelet always sends.
 * @returns the pairs with known keys; of equal keys the last wins.
 * @throws FairleadError `invalid-environment`
 *
 * Source: CNI SPEC 1.1.0, "Parameters", and LoadArgs in pkg/types/args.go of the reference library.
 */
export function parseCniArgs(text: string, knownKeys: readonly string[]): ReadonlyMap<string, string> {
  const pairs = new Map(text === "" ? [] : text.split(";").map(parsePair));
  const ignoreUnknown = isOn(pairs.get("IgnoreUnknown") ?? "");
  pairs.delete("IgnoreUnknown");
  const unknown = [...pairs.keys()].filter((key) => !knownKeys.includes(key));
  if (unknown.length > 0 && !ignoreUnknown) {
    throw environmentError(
      `ARGS: unknown args ${JSON.stringify(unknown)}`,
      "remove them or add IgnoreUnknown=1",
      "CNI_ARGS",
    );
  }
  for (const key of unknown) pairs.delete(key);
  return pairs;
}

function parsePair(pair: string): [string, string] {
  const [key, value, ...rest] = pair.split("=");
  if (!key || value === undefined || rest.length > 0) {
    throw environmentError(
      `ARGS: invalid pair ${JSON.stringify(pair)}`,
      "write KEY=VALUE;KEY=VALUE",
      "CNI_ARGS",
    );
  }
  return [key, value];
}
