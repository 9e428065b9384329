/**
 * Unix sockets that only the daemon's own user can reach.
 *
 * The directory is made with 0700 when it is not there, and the socket has 0600 from the moment that it is
 * bound. Whoever can open it is who may use it. (A peer's credentials, SO_PEERCRED, are not to be had: Node
 * and Bun do not give them out.)
 *
 * Two servers on one state directory are kept apart by its store, which is opened first; here the second
 * one on a socket finds the first one alive and gives up.
 */
import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { FairleadError } from "../errors.ts";

/** `sun_path` has 108 bytes, the last one zero. Source: Linux include/uapi/linux/un.h UNIX_PATH_MAX. */
export const MAX_SOCKET_PATH_BYTES = 107;

const PROBE_TIMEOUT_MS = 1_000;

/**
 * Makes room for a socket at `path`, then binds it by `bind`, which must bind before its promise settles.
 *
 * @throws already-exists when another process listens there, or a file that is no socket is in the way;
 *   unavailable when it cannot be bound.
 */
export async function bindPrivately(path: string, bind: () => Promise<unknown>): Promise<void> {
  await makeRoom(path);
  // The mask is the process's: nothing else may make files here and now, or they would be as private.
  const before = process.umask(0o177);
  try {
    await bind();
  } catch (thrown) {
    throw bindError(path, thrown);
  } finally {
    process.umask(before);
  }
}

async function makeRoom(path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw bindError(path, thrown);
  }
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) {
    throw inTheWay(path, "a file that is no socket is in the way", "remove it, or choose another path");
  }
  if (await isAlive(path)) {
    throw inTheWay(
      path,
      "another process listens there",
      "stop the other process, or choose another path with --socket or the key socket",
    );
  }
  // Left by a server that was killed.
  rmSync(path, { force: true });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const answer = (alive: boolean): void => {
      clearTimeout(timer);
      probe.destroy();
      resolve(alive);
    };
    // A full backlog keeps a connection waiting: somebody is there.
    const timer = setTimeout(() => answer(true), PROBE_TIMEOUT_MS);
    probe.once("connect", () => answer(true));
    probe.once("error", () => answer(false));
  });
}

function inTheWay(path: string, reason: string, hint: string): FairleadError {
  return new FairleadError({ code: "already-exists", operation: "listen on", object: path, reason, hint });
}

function bindError(path: string, cause: unknown): FairleadError {
  if (cause instanceof FairleadError) return cause;
  return new FairleadError({
    code: "unavailable",
    operation: "listen on",
    object: path,
    reason: cause instanceof Error ? cause.message : String(cause),
    hint: "the directory must be writable by the user of this process",
    cause,
  });
}
