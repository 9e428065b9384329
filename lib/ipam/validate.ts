/** Checks on what callers send: names, keys, numbers, instants. All of them throw `invalid-config`. */

import { ifnameProblem } from "../addr/ifname.ts";
import { FairleadError } from "../errors.ts";
import type { AttachmentKey } from "./api.ts";

/** Characters of a network name and of a container ID. Source: CNI SPEC 1.1.0, "Network configuration" and "Parameters". */
const CNI_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LONGEST_NAME = 253;
const LONGEST_TEXT = 1024;
const MOST_NAMES = 64;

interface Problem {
  readonly reason: string;
  readonly hint?: string;
}

function invalid(operation: string, field: string, { reason, hint }: Problem): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation,
    object: field,
    reason,
    ...(hint !== undefined && { hint }),
    details: { field },
  });
}

/** Text of others for a message, cut to a readable length. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** A network name, container ID or address space name: letters, digits, `_`, `.`, `-`. */
export function checkName(operation: string, field: string, text: string): string {
  if (text.length > LONGEST_NAME) {
    throw invalid(operation, field, {
      reason: `it has ${text.length} characters, at most ${LONGEST_NAME} are allowed`,
    });
  }
  if (!CNI_NAME.test(text)) {
    const hint = "use letters, digits, '_', '.' and '-', beginning with a letter or digit";
    throw invalid(operation, field, { reason: `${quote(text)} is not a name`, hint });
  }
  return text;
}

/** @throws invalid-config unless all three parts are what CNI allows. */
export function checkKey(operation: string, key: AttachmentKey): AttachmentKey {
  checkName(operation, "networkName", key.networkName);
  checkName(operation, "containerId", key.containerId);
  const problem = ifnameProblem(key.ifname);
  if (problem !== null) throw invalid(operation, "ifname", { reason: `${quote(key.ifname)}: ${problem}` });
  return key;
}

/** Free text that is recorded and never interpreted; absent becomes empty. */
export function checkText(operation: string, field: string, text: string | undefined): string {
  if (text === undefined) return "";
  if (text.length > LONGEST_TEXT) {
    throw invalid(operation, field, {
      reason: `it has ${text.length} characters, at most ${LONGEST_TEXT} are allowed`,
    });
  }
  return text;
}

/** Names of attempts: as those of CNI, so that they can be joined with others by "/". */
const ATTEMPT = /^[a-zA-Z0-9_.-]{1,64}$/;

/** @throws invalid-config for what is no name of an attempt; absent is none. */
export function checkAttempt(operation: string, field: string, text: string | undefined): void {
  if (text === undefined || ATTEMPT.test(text)) return;
  throw invalid(operation, field, {
    reason: `${quote(text)} is not 1 to 64 letters, digits, '_', '.' and '-'`,
  });
}

/** What a terminal would obey instead of showing. */
const CONTROL_CHARACTER = /\p{Cc}/u;

/**
 * Names of a container, recorded for the name service, each once. They may be more than DNS can carry: what is not
 * a domain name is recorded and not served. The same name on another container is no fault; both are answered.
 */
export function checkNames(operation: string, names: readonly string[]): readonly string[] {
  if (names.length > MOST_NAMES) {
    throw invalid(operation, "names", {
      reason: `there are ${names.length}, at most ${MOST_NAMES} are allowed`,
    });
  }
  const tooLong = names.find((name) => name.length === 0 || name.length > LONGEST_NAME);
  if (tooLong !== undefined) {
    throw invalid(operation, "names", {
      reason: `${quote(tooLong)} does not have 1 to ${LONGEST_NAME} characters`,
    });
  }
  const unprintable = names.find((name) => CONTROL_CHARACTER.test(name));
  if (unprintable !== undefined) {
    throw invalid(operation, "names", { reason: `${quote(unprintable)} holds a control character` });
  }
  return names.length < 2 ? names : [...new Set(names)];
}

/** A whole number within bounds, both inclusive. */
export function checkInteger(
  operation: string,
  field: string,
  { value, least, most }: { value: number; least: number; most: number },
): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalid(operation, field, { reason: `${value} is not a whole number from ${least} to ${most}` });
  }
  return value;
}

/** Source: RFC 3339 §5.6 `date-time`. */
const INSTANT = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Milliseconds since the Unix epoch of an RFC 3339 instant; fractions of a millisecond are cut off. */
export function parseInstant(operation: string, field: string, text: string): number {
  const ms = INSTANT.test(text) ? Date.parse(text.toUpperCase()) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw invalid(operation, field, {
      reason: `${quote(text)} is no instant`,
      hint: "write it like 2026-01-31T12:00:00Z",
    });
  }
  return ms;
}

/** RFC 3339 in UTC with milliseconds. */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString();
}
