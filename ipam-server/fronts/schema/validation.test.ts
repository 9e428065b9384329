import Ajv from "ajv";
import addFormats from "ajv-formats";
import { REQUEST_SCHEMAS, type RequestSchemaName } from "./requests.ts";
import { createValidators, SCHEMAS } from "./validation.ts";

const names = Object.keys(REQUEST_SCHEMAS) as RequestSchemaName[];

/** The program leaves that out, to start sooner. */
test("every schema is one by the standard, and refers to what there is", () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true });
  addFormats(ajv, ["date-time"]);
  for (const [name, schema] of Object.entries(SCHEMAS)) ajv.addSchema(schema, name);
  for (const name of Object.keys(SCHEMAS)) expect(typeof ajv.getSchema(name)).toBe("function");
});

test.each(names)("%s can be compiled for bodies and for queries, and refuses what is no object", (name) => {
  const validators = createValidators();
  for (const coerce of [false, true]) {
    const validate = validators.compile({ $ref: `${name}#` }, coerce);
    expect(validate.errors).toBeNull();
    expect(validate([])).toBe(false);
    expect(validate.errors).toMatchObject([{ keyword: "type" }]);
  }
  expect(() => validators.assertValid(name, [], "test")).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
});

test("what was wrong is forgotten by the next check", () => {
  const validate = createValidators().compile({ type: "string" }, false);
  expect([validate(1), validate("text"), validate.errors]).toEqual([false, true, null]);
});

test("a check is compiled when it is needed, not before", () => {
  const broken = createValidators().compile({ type: "no such type" }, false);
  expect(() => broken("text")).toThrow();
});
