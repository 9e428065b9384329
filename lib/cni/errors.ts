/**
 * The error object of CNI, in both directions.
 *
 * Source: CNI SPEC 1.1.0, "Error". It is printed on stdout, as the STATUS text, every older version and all
 * runtimes have it; stderr is for logs.
 */
import { asFairleadError, ERROR_TABLE, type ErrorCode, FairleadError } from "../errors.ts";
import { integer, readFields, text } from "./fields.ts";
import { decodeJson, type JsonObject, requireObject } from "./json.ts";

/** What a plugin prints when it fails. */
export interface CniErrorObject {
  readonly cniVersion?: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** A delegate's error. It goes out as it came in: the codes of a delegate are part of its contract. */
export class DelegateError extends FairleadError {
  /** The object that the delegate printed, unknown keys included. */
  readonly answer: JsonObject;

  constructor(type: string, error: CniErrorObject, answer: JsonObject) {
    super({
      code: codeOfCni(error.code),
      operation: "delegate to",
      object: type,
      reason: error.msg,
      ...(error.details !== undefined && error.details !== "" && { hint: error.details }),
    });
    this.name = "DelegateError";
    this.answer = answer;
  }
}

/** The first of our codes that has this CNI number. Numbers from 100 on are the delegate's own, not ours. */
function codeOfCni(number: number): ErrorCode {
  if (number >= 100) return "internal";
  const match = Object.entries(ERROR_TABLE).find(([, row]) => row.cni === number);
  return (match?.[0] ?? "internal") as ErrorCode;
}

/**
 * The error object for anything thrown.
 *
 * Runtimes print `msg; details`, which is how a FairleadError reads: the hint goes into `details`.
 */
export function toCniError(thrown: unknown, cniVersion: string): JsonObject {
  if (thrown instanceof DelegateError) return { cniVersion, ...thrown.answer };
  const { code, operation, object, reason, hint } = asFairleadError(thrown, "run plugin");
  const subject = object === "" ? operation : `${operation} ${object}`;
  return {
    cniVersion,
    code: ERROR_TABLE[code].cni,
    msg: `${subject}: ${reason}`,
    ...(hint !== "" && { details: hint }),
  };
}

const ERROR_FIELDS = { cniVersion: text(), code: integer(), msg: text(), details: text() };

/**
 * The error that a failed delegate reports on stdout.
 *
 * @param ending how the process ended: "exit status 1".
 * @returns a {@link DelegateError}, or `decode-failure` when the output is no error object.
 */
export function delegateFailure(type: string, stdout: Uint8Array, ending: string): FairleadError {
  return (
    parseDelegateError(type, stdout) ??
    new FairleadError({
      code: "decode-failure",
      operation: "delegate to",
      object: type,
      reason: `it failed (${ending}) and its output is no CNI error: ${describeOutput(stdout)}`,
      hint: "see what it wrote to stderr",
    })
  );
}

function parseDelegateError(type: string, stdout: Uint8Array): DelegateError | null {
  const reading = { operation: `read error of delegate ${type}`, fault: "decode-failure" } as const;
  try {
    const answer = requireObject(decodeJson(stdout, reading), reading);
    const error = readFields(ERROR_FIELDS, answer, { path: "", reading });
    return error.code === 0 && error.msg === "" ? null : new DelegateError(type, error, answer);
  } catch {
    // A program that died may have printed anything; the caller quotes it.
    return null;
  }
}

const LONGEST_QUOTE = 200;

function describeOutput(stdout: Uint8Array): string {
  if (stdout.length === 0) return "nothing";
  return JSON.stringify(new TextDecoder().decode(stdout.subarray(0, LONGEST_QUOTE)));
}
