/**
 * A program that is newer than the service that runs: an upgrade was installed, and the daemons were not started anew yet.
 *
 * The service refuses fields that it does not know, so that nobody's misspelling passes for a wish. A client that is refused for one
 * of its own newer fields asks again without it, where the request means the same without: an ADD costs one exchange more until
 * the service is started anew, and nothing where both are of one version. Where the request would mean more (a release that names
 * its grant would take whatever is held), the refusal stays.
 */
import { FairleadError } from "../errors.ts";
import type { OperationName, RequestOf } from "./operations.ts";

interface Asked {
  readonly name: OperationName;
  readonly request: object;
}

/** What guards against rare races, or is for people, and may be left out. */
const DISPENSABLE: { readonly [N in OperationName]?: readonly (keyof RequestOf<N>)[] } = {
  acquire: ["attempt", "canSurvey"],
  release: ["attempt", "attempts", "reason"],
};

/** The field that the service does not know; null: it was refused for something else. */
export function unknownField({ code, object, reason, details }: FairleadError): string | null {
  if (code !== "invalid-config" || object !== "body") return null;
  const { unknownField: told } = details;
  // A service before 0.2 says it to people only.
  return typeof told === "string" ? told : (/^unknown field "(\w+)"$/.exec(reason)?.[1] ?? null);
}

/** The request without the field that it was refused for; null: it cannot do without, or has no such field. */
export function withoutUnknown({ name, request }: Asked, refusal: FairleadError): object | null {
  const field = unknownField(refusal);
  const dispensable: readonly string[] = DISPENSABLE[name] ?? [];
  if (field === null || !(field in request) || !dispensable.includes(field)) return null;
  return Object.fromEntries(Object.entries(request).filter(([other]) => other !== field));
}

/** The refusal of a field that cannot be left out, with what to do about it. */
export function explained(refusal: FairleadError): FairleadError {
  const field = unknownField(refusal);
  if (field === null) return refusal;
  const { code, operation, object, reason, details } = refusal;
  const hint =
    "the service that runs is older than this program: start it anew (systemctl restart fairlead-server)";
  return new FairleadError({ code, operation, object, reason, hint, details, cause: refusal });
}
