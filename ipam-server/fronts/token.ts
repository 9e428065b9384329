/**
 * The token that a call over TCP must carry: `Authorization: Bearer TOKEN`.
 *
 * The server makes it on its first start, in a file that only its user can read; clients on the machine read
 * it there.
 *
 * Source: RFC 6750 §2.1.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { FairleadError } from "../../lib/errors.ts";

const TOKEN_BYTES = 32;
const MIN_TOKEN_CHARACTERS = 32;

export interface Token {
  /** True for the value of an Authorization header that holds the token. Takes the same time for every wrong one. */
  accepts(authorization: string | undefined): boolean;
}

export function tokenFrom(secret: string): Token {
  const wanted = digest(secret);
  return {
    accepts(authorization) {
      const [, given = ""] = /^Bearer +([^\s]+)\s*$/i.exec(authorization ?? "") ?? [];
      return timingSafeEqual(digest(given), wanted);
    },
  };
}

/** Digests are of one length, whatever was sent. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Reads the token file, or makes it with mode 0600 when it is not there.
 * @throws permission-denied when others may read the file; decode-failure when it holds no token; io-failure.
 */
export function openTokenFile(path: string): Token {
  return tokenFrom(readToken(path) ?? createToken(path));
}

function readToken(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return null;
  if ((stat.mode & 0o077) !== 0) {
    throw new FairleadError({
      code: "permission-denied",
      operation: "read token",
      object: path,
      reason: `its mode is 0${(stat.mode & 0o777).toString(8)}: others can read it`,
      hint: "remove it, start again (a new one is made), and give the new one to the clients",
    });
  }
  const secret = readFileSync(path, "utf8").trim();
  if (secret.length >= MIN_TOKEN_CHARACTERS && !/\s/.test(secret)) return secret;
  throw new FairleadError({
    code: "decode-failure",
    operation: "read token",
    object: path,
    reason: `it does not hold one word of at least ${MIN_TOKEN_CHARACTERS} characters`,
    hint: "remove it and start again: a new one is made",
  });
}

/** Written whole under another name first: a server that is killed here leaves no half token. */
function createToken(path: string): string {
  const secret = randomBytes(TOKEN_BYTES).toString("base64url");
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, "wx", 0o600);
    try {
      writeSync(file, `${secret}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(temporary, path);
  } catch (cause) {
    throw new FairleadError({
      code: "io-failure",
      operation: "write token",
      object: path,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: "the state directory must be writable",
      cause,
    });
  } finally {
    rmSync(temporary, { force: true });
  }
  return secret;
}

/** What a call without the token gets. It does not say whether a token was there. */
export function unauthenticatedError(operation: string, object: string): FairleadError {
  return new FairleadError({
    code: "unauthenticated",
    operation,
    object,
    reason: "the call does not carry the server's token",
    hint: 'send "Authorization: Bearer TOKEN"; the token is in the file `token` of the server\'s state directory',
  });
}
