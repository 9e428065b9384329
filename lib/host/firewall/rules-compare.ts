/** Comparing rules as Fairlead writes them with rules as the kernel lists them. */
import type { Expression } from "../../netlink/nftables/expr/expression.ts";

/** What the kernel lists although nobody said it: the defaults of the expressions that our rules are made of. */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  lookup: { flags: 0 },
  bitwise: { op: 0 },
};

/** What a rule counted does not make it another rule. */
const COUNTER = "counter";

/** Whether the rule `found` in the kernel is the rule `wanted`: the same expressions in the same order. */
export function holds(found: readonly Expression[], wanted: readonly Expression[]): boolean {
  return found.length === wanted.length && wanted.every((expression, at) => isSame(found[at], expression));
}

function isSame(found: Expression | undefined, wanted: Expression): boolean {
  const { name = "" } = wanted;
  if (found?.name !== name || found.unknown) return false;
  if (name === COUNTER) return true;
  const complete = (data: object | undefined) => ({ ...DEFAULTS[name], ...defined(data) });
  return equals(complete(found.data), complete(wanted.data));
}

/** Values of attributes: numbers, bytes, and objects of these. An attribute that is undefined is not there. */
function equals(found: unknown, wanted: unknown): boolean {
  if (typeof found !== "object" || typeof wanted !== "object") return found === wanted;
  const [left, right] = [defined(found), defined(wanted)];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => equals(left[key], right[key]));
}

function defined(value: object | null | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, inner]) => inner !== undefined));
}
