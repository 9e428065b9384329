/**
 * JSON schemas that the type checker compares with the types they describe: every field is there, no other
 * is, and exactly those that may be absent are marked as such.
 */

export type Schema = { readonly optional?: never; readonly [keyword: string]: unknown };
export interface OptionalSchema {
  readonly optional: Schema;
}

/** One schema per field of `T`, wrapped by {@link optional} where the field may be absent. */
export type FieldSchemas<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? OptionalSchema : Schema;
};

export function optional(schema: Schema): OptionalSchema {
  return { optional: schema };
}

/** A schema that says which type it describes, for the type checker alone. */
export type SchemaOf<T> = Schema & { readonly describes?: (value: T) => T };

/** An object with exactly these fields: anything else in it is refused. */
export function object<T>(description: string, fields: FieldSchemas<T>): SchemaOf<T> {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const [name, field] of Object.entries(fields) as [string, Schema | OptionalSchema][]) {
    if (field.optional) {
      properties[name] = field.optional;
    } else {
      properties[name] = field as Schema;
      required.push(name);
    }
  }
  const list = required.length > 0 ? { required } : {};
  return { type: "object", description, additionalProperties: false, ...list, properties };
}

/** `maxLength` counts characters. */
export function string(description: string, limits: { minLength?: number; maxLength: number }): Schema {
  return { type: "string", description, ...limits };
}

/** An instant of RFC 3339. */
export function instant(description: string): Schema {
  return { type: "string", format: "date-time", maxLength: 40, description };
}

export function integer(description: string, limits: { minimum: number; maximum: number }): Schema {
  return { type: "integer", description, ...limits };
}

export function boolean(description: string): Schema {
  return { type: "boolean", description };
}

export function oneOf(description: string, values: readonly (string | number)[]): Schema {
  return { type: typeof values[0] === "number" ? "integer" : "string", enum: values, description };
}

export function array(description: string, items: Schema, limits: { maxItems?: number } = {}): Schema {
  return { type: "array", items, description, ...limits };
}

/** A map from names to texts. */
export function textMap(description: string, limits: { maxProperties: number; maxLength: number }): Schema {
  const { maxProperties, maxLength } = limits;
  return {
    type: "object",
    description,
    maxProperties,
    propertyNames: { maxLength: 255 },
    additionalProperties: { type: "string", maxLength },
  };
}

/** The same, or null. */
export function nullable(schema: Schema): Schema {
  return { ...schema, type: [schema["type"], "null"] };
}

/** A named schema of the table. */
export function ref(name: string): Schema {
  return { $ref: `${name}#` };
}

/** The fields of an object schema that `keep` accepts, as an object schema; null when there are none. */
export function pickFields(schema: Schema, keep: (field: string) => boolean): Schema | null {
  const properties = Object.entries(schema["properties"] as Record<string, Schema>);
  const kept = properties.filter(([field]) => keep(field));
  if (kept.length === 0) return null;
  if (kept.length === properties.length) return schema;
  const required = ((schema["required"] ?? []) as string[]).filter(keep);
  const { required: _, ...rest } = schema;
  return { ...rest, ...(required.length > 0 && { required }), properties: Object.fromEntries(kept) };
}
