/**
 * Building blocks of the tables beside, which say how each value of lib/ipam/api travels in a message of
 * proto/fairlead/v1/ipam.proto. An entry is read both ways, so that there is no second hand to get it wrong.
 *
 * Values and messages are named alike, field by field; what is left to say is which fields may be absent and which are instants, words
 * or nested. The type checker compares every entry with both sides.
 *
 * `A` is a value of the API (plain JSON), `P` its protobuf counterpart (generated types). What protobuf
 * cannot tell apart (an absent list and an empty one) the API does not tell apart either, or a message of its
 * own holds it.
 */
import { FairleadError } from "../../errors.ts";
import type { Timestamp } from "../generated/google/protobuf/timestamp.ts";

export interface Codec<A, P> {
  /** @throws FairleadError invalid-config when the value has no counterpart (an instant that is not one). */
  encode(value: A): P;
  /** @throws FairleadError decode-failure when the message lacks what the value must have. */
  decode(message: P): A;
}

function identity<T>(): Codec<T, T> {
  return { encode: (value) => value, decode: (message) => message };
}

export const text: Codec<string, string> = identity();
export const flag: Codec<boolean, boolean> = identity();
/** Numbers above 2^53 are refused by the generated decoder. */
export const number: Codec<number, number> = identity();

/** A string map. The generated decoder makes an ordinary object, whose keys are own properties. */
export const textMap: Codec<Readonly<Record<string, string>>, { [key: string]: string }> = {
  encode: (value) => ({ ...value }),
  decode: (message) => message,
};

/** Absent on both sides. */
export function optional<A, P>(codec: Codec<A, P>): Codec<A | undefined, P | undefined> {
  return {
    encode: (value) => (value === undefined ? undefined : codec.encode(value)),
    decode: (message) => (message === undefined ? undefined : codec.decode(message)),
  };
}

/** Null in the API, absent in the message. */
export function nullable<A, P>(codec: Codec<A, P>): Codec<A | null, P | undefined> {
  return {
    encode: (value) => (value === null ? undefined : codec.encode(value)),
    decode: (message) => (message === undefined ? null : codec.decode(message)),
  };
}

/** A message field that must be there: protobuf 3 leaves every message field optional. */
export function required<A, P>(name: string, codec: Codec<A, P>): Codec<A, P | undefined> {
  return {
    encode: (value) => codec.encode(value),
    decode(message) {
      if (message === undefined) throw undecodable(`field "${name}" is missing`);
      return codec.decode(message);
    },
  };
}

export function list<A, P>(codec: Codec<A, P>): Codec<readonly A[], P[]> {
  return {
    encode: (values) => values.map((value) => codec.encode(value)),
    decode: (messages) => messages.map((message) => codec.decode(message)),
  };
}

/** A list or map that may be absent in the API, where absent and empty mean the same. */
export function absentIfEmpty<A extends object, P extends object>(
  codec: Codec<A, P>,
  empty: () => P,
): Codec<A | undefined, P> {
  return {
    encode: (value) => (value === undefined ? empty() : codec.encode(value)),
    decode: (message) => (Object.keys(message).length === 0 ? undefined : codec.decode(message)),
  };
}

/** A list inside a message of its own, so that an absent list differs from an empty one, or lists can nest. */
export function wrapped<A, K extends string, P>(key: K, codec: Codec<A, P>): Codec<A, { [k in K]: P }> {
  return {
    encode: (value) => ({ [key]: codec.encode(value) }) as { [k in K]: P },
    decode: (message) => codec.decode(message[key]),
  };
}

/** One codec for each field of the API value; the type checker demands them all. */
export type FieldCodecs<A, P> = {
  readonly [K in keyof A]-?: Codec<A[K], K extends keyof P ? P[K] : never>;
};

/** A message whose fields are named as in the API. A field that decodes to undefined is left out. */
export function record<A extends object, P extends { [K in keyof A]?: unknown }>(
  fields: FieldCodecs<A, P>,
): Codec<A, P> {
  const entries = Object.entries(fields) as [string, Codec<unknown, unknown>][];
  return {
    encode: (value) => mapFields(entries, value, "encode") as P,
    decode: (message) => mapFields(entries, message, "decode") as A,
  };
}

function mapFields(
  entries: readonly [string, Codec<unknown, unknown>][],
  source: object,
  direction: "encode" | "decode",
): object {
  const target: Record<string, unknown> = {};
  for (const [name, codec] of entries) {
    const value = codec[direction]((source as Record<string, unknown>)[name]);
    if (value !== undefined) target[name] = value;
  }
  return target;
}

/** An enum of the protocol, without its zero value and without what the generator adds for unknown numbers. */
export type Known<E extends string> = Exclude<E, `${string}_UNSPECIFIED` | "UNRECOGNIZED">;

/**
 * Words of the API against the names of a protobuf enum: `lease-bound` and `EVENT_KIND_LEASE_BOUND`.
 * Decoding refuses the zero name and numbers that the enum does not have.
 */
export function words<A extends string | number, E extends string>(
  kind: string,
  names: Readonly<Record<A, Known<E>>>,
): Codec<A, E> {
  const pairs = Object.entries(names) as [string, E][];
  const wordOf = new Map(pairs.map(([word, name]) => [name, toWord<A>(word)]));
  return {
    encode(value) {
      const name: E | undefined = names[value];
      if (name === undefined) {
        throw unencodable(kind, String(value), `known are ${[...wordOf.values()].join(", ")}`);
      }
      return name;
    },
    decode(message) {
      const word = wordOf.get(message);
      if (word === undefined) throw undecodable(`${message} is not a ${kind}`);
      return word;
    },
  };
}

/** Keys of an object are text, even where the words are numbers. */
function toWord<A extends string | number>(key: string): A {
  return (/^\d+$/.test(key) ? Number(key) : key) as A;
}

/** Like {@link words}, for filters: the zero name of the enum stands for "absent". */
export function optionalWords<A extends string | number, E extends string>(
  codec: Codec<A, E>,
  unspecified: E,
): Codec<A | undefined, E> {
  return {
    encode: (value) => (value === undefined ? unspecified : codec.encode(value)),
    decode: (message) => (message === unspecified ? undefined : codec.decode(message)),
  };
}

/** Seconds between the years 1 and 9999. Source: google/protobuf/timestamp.proto. */
const TIMESTAMP_SECONDS = { min: -62_135_596_800, max: 253_402_300_799 };

/** RFC 3339 text in UTC with milliseconds, against google.protobuf.Timestamp. */
export const instant: Codec<string, Timestamp> = {
  encode(value) {
    const ms = Date.parse(value);
    if (!RFC_3339.test(value) || Number.isNaN(ms)) {
      throw unencodable("instant", value, "write it like 2026-01-31T12:00:00Z");
    }
    const seconds = Math.floor(ms / 1000);
    return { seconds, nanos: (ms - seconds * 1000) * 1_000_000 };
  },
  decode({ seconds, nanos }) {
    const { min, max } = TIMESTAMP_SECONDS;
    if (seconds < min || seconds > max || nanos < 0 || nanos > 999_999_999) {
      throw undecodable(`seconds ${seconds}, nanos ${nanos} are not a Timestamp`);
    }
    return new Date(seconds * 1000 + Math.floor(nanos / 1_000_000)).toISOString();
  },
};

/** Source: RFC 3339 §5.6 `date-time`. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

function unencodable(kind: string, value: string, hint: string): FairleadError {
  const reason = `${JSON.stringify(value.slice(0, 80))} is not a known ${kind}`;
  return new FairleadError({ code: "invalid-config", operation: "send request", reason, hint });
}

function undecodable(reason: string): FairleadError {
  return new FairleadError({ code: "decode-failure", operation: "read message", reason });
}
