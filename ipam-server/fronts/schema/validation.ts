/**
 * Checks requests against the schema table, with one wording for every front.
 *
 * Bodies and messages are taken as they are: no coercion, no defaults, nothing removed, nothing unknown
 * accepted. Only query parameters, which are always text, are read as the numbers that their schema says.
 */
import Ajv, { type ErrorObject, type Options, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { FairleadError } from "../../../lib/errors.ts";
import type { IpamService } from "../../../lib/ipam/api.ts";
import {
  type AnswerOf,
  OPERATIONS,
  type OperationName,
  type RequestOf,
} from "../../../lib/ipam/operations.ts";
import { ANSWER_SCHEMAS } from "./answers.ts";
import type { Schema, SchemaOf } from "./kit.ts";
import { REQUEST_SCHEMAS, type RequestSchemaName } from "./requests.ts";

const ALL_SCHEMAS = { ...REQUEST_SCHEMAS, ...ANSWER_SCHEMAS };

/** Every schema by name; each refers to others as `Name#`. */
export const SCHEMAS: Readonly<Record<string, Schema>> = ALL_SCHEMAS;

type Table = typeof ALL_SCHEMAS;

/** Names of schemas that describe `T`. */
type NameFor<T> = { [K in keyof Table]: Table[K] extends SchemaOf<T> ? K : never }[keyof Table];

/** As an answer travels: a list in a field of an object. */
type Sent<N extends OperationName> = (typeof OPERATIONS)[N] extends { readonly list: infer F extends string }
  ? { readonly [K in F]: AnswerOf<N> }
  : AnswerOf<N>;

/** The answer of an operation that says no more than that it was done. */
type Done = AnswerOf<"verify">;

/** The names that a row may give: of schemas of what its method takes and answers. */
type SchemaNames<N extends OperationName> = {
  readonly request: Parameters<IpamService[N]> extends [] ? null : NameFor<RequestOf<N>>;
  readonly answer: [AnswerOf<N>] extends [Done] ? null : NameFor<Sent<N>>;
};

// Nothing happens here: the compiler looks whether each row names the right schemas.
OPERATIONS satisfies { readonly [N in OperationName]: SchemaNames<N> };

export interface Validators {
  /** @throws FairleadError invalid-config that names the field and what is wrong with it. */
  assertValid(name: RequestSchemaName, value: unknown, operation: string): void;
  /** Compiles a part of a request. `coerce` for text that came in a query. */
  compile(schema: object, coerce: boolean): Validate;
}

/** A check. What is wrong stands in `errors` until the next call. */
interface Validate {
  (value: unknown): boolean;
  errors: ErrorObject[] | null;
}

/**
 * Makes the table of checks. Compiling all of it takes a hundred milliseconds, for which plugins would wait at every start: each
 * check is compiled when it is needed first, in one or two. The schemas are the program's own; the tests hold them against the
 * standard.
 */
export function createValidators(): Validators {
  const strict = onFirstUse(() => newAjv({}));
  const coercing = onFirstUse(() => newAjv({ coerceTypes: true }));
  return {
    assertValid(name, value, operation) {
      const validate = strict().getSchema(name);
      if (!validate) throw new Error(`no schema ${name}`);
      if (!validate(value)) throw validationError(operation, "request", validate.errors ?? []);
    },
    compile: (schema, coerce) => compileLate(() => (coerce ? coercing() : strict()).compile(schema)),
  };
}

function onFirstUse<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function compileLate(compile: () => ValidateFunction): Validate {
  const compiled = onFirstUse(compile);
  const check = (value: unknown): boolean => {
    const isValid = compiled()(value) === true;
    validate.errors = compiled().errors ?? null;
    return isValid;
  };
  const validate: Validate = Object.assign(check, { errors: null });
  return validate;
}

function newAjv(options: Options): Ajv {
  const ajv = new Ajv({
    strict: true,
    allowUnionTypes: true,
    meta: false,
    validateSchema: false,
    ...options,
  });
  addFormats(ajv, ["date-time"]);
  for (const [name, schema] of Object.entries(SCHEMAS)) ajv.addSchema(schema, name);
  return ajv;
}

/** What the schema compiler says, as a FairleadError. `part` is "body", "query", "path" or "request". */
export function validationError(
  operation: string,
  part: string,
  errors: readonly Pick<ErrorObject, "instancePath" | "keyword" | "message" | "params">[],
): FairleadError {
  const [first] = errors;
  const field = first ? [part, ...first.instancePath.split("/").slice(1)].join(".") : part;
  return new FairleadError({
    code: "invalid-config",
    operation,
    object: field,
    reason: first ? reasonOf(first) : "it is not valid",
    hint: "GET /v1/openapi.json describes every request",
    details: { field, ...unknownFieldOf(first) },
  });
}

/** For a client that is newer than this program, and can do without. */
function unknownFieldOf(error: Pick<ErrorObject, "keyword" | "params"> | undefined): object {
  if (error?.keyword !== "additionalProperties") return {};
  return { unknownField: (error.params as Readonly<Record<string, unknown>>)["additionalProperty"] };
}

function reasonOf({ keyword, message, params }: Pick<ErrorObject, "keyword" | "message" | "params">): string {
  const facts = params as Readonly<Record<string, unknown>>;
  if (keyword === "additionalProperties") return `unknown field "${facts["additionalProperty"]}"`;
  if (keyword === "required") return `field "${facts["missingProperty"]}" is missing`;
  if (keyword === "enum") return `it must be one of ${(facts["allowedValues"] as unknown[]).join(", ")}`;
  return `it ${message}`;
}
