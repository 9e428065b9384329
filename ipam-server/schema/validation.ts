/**
 * Checks requests against the schema table, with one wording for every front.
 *
 * Bodies and messages are taken as they are: no coercion, no defaults, nothing removed, nothing unknown
 * accepted. Only query parameters, which are always text, are read as the numbers that their schema says.
 */
import Ajv, { type ErrorObject, type Options, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { FairleadError } from "../../lib/errors.ts";
import { ANSWER_SCHEMAS } from "./answers.ts";
import type { Schema } from "./kit.ts";
import { REQUEST_SCHEMAS, type RequestSchemaName } from "./requests.ts";

/** Every schema by name; each refers to others as `Name#`. */
export const SCHEMAS: Readonly<Record<string, Schema>> = { ...REQUEST_SCHEMAS, ...ANSWER_SCHEMAS };

export interface Validators {
  /** @throws FairleadError invalid-config that names the field and what is wrong with it. */
  assertValid(name: RequestSchemaName, value: unknown, operation: string): void;
  /** Compiles a part of a request. `coerce` for text that came in a query. */
  compile(schema: object, coerce: boolean): ValidateFunction;
}

/** Compiles the table. Takes some tens of milliseconds: once per process. */
export function createValidators(): Validators {
  const strict = newAjv({});
  const coercing = newAjv({ coerceTypes: true });
  return {
    assertValid(name, value, operation) {
      const validate = strict.getSchema(name);
      if (!validate) throw new Error(`no schema ${name}`);
      if (!validate(value)) throw validationError(operation, "request", validate.errors ?? []);
    },
    compile: (schema, coerce) => (coerce ? coercing : strict).compile(schema),
  };
}

function newAjv(options: Options): Ajv {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true, ...options });
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
    details: { field },
  });
}

function reasonOf({ keyword, message, params }: Pick<ErrorObject, "keyword" | "message" | "params">): string {
  const facts = params as Readonly<Record<string, unknown>>;
  if (keyword === "additionalProperties") return `unknown field "${facts["additionalProperty"]}"`;
  if (keyword === "required") return `field "${facts["missingProperty"]}" is missing`;
  if (keyword === "enum") return `it must be one of ${(facts["allowedValues"] as unknown[]).join(", ")}`;
  return `it ${message}`;
}
