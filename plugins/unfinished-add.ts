/** The word that an ADD leaves of itself until it ends: see lib/host/attachment/unfinished-adds.ts. */
import type { AddRequest } from "../lib/cni/request.ts";
import { leaveWord, ownNetns, takeWordBack } from "../lib/host/attachment/unfinished-adds.ts";
import { SyscallError } from "../lib/linux/calls/errno.ts";

/** What DEL reads of the environment. */
const VARIABLES = ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS", "CNI_PATH"] as const;

/**
 * Leaves word of an ADD of `plugin`, to be called when the attachment has no link on the host. It is taken back with what is undone, unless
 * something of that fails, or an earlier ADD has left word, too. Returns what takes it back before the result is told.
 *
 * Where there is no place for it, the ADD goes on: what is then left of it when it is killed waits for a DEL, or for a person.
 */
export function leaveWordOf(request: AddRequest, plugin: string): () => void {
  const { key, config, env, undo, log } = request;
  try {
    const variables = VARIABLES.map((name) => [name, env[name] ?? ""] as const);
    const add = {
      plugin,
      key,
      env: Object.fromEntries(variables),
      config: config.raw,
      hostNetns: ownNetns(),
    };
    if (leaveWord(add)) undo.pushGuarded("forget that it began", () => takeWordBack(key));
  } catch (thrown) {
    if (!(thrown instanceof SyscallError)) throw thrown;
    log(`going on without leaving word of this ADD: ${thrown.message}`);
    return () => {};
  }
  return () => takeWordBack(key);
}
