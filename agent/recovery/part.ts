/**
 * The agent's part that tells a service in recovery what is attached to this node.
 *
 * Looking takes hundreds of questions to the kernel where there are hundreds of containers, so it is done by a process of its
 * own, `fairlead ipam recover`, which is this very executable: names are answered meanwhile.
 */
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { ownExecutable, runChild } from "../base/child-command.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { WorkQueue } from "../reconcile/work-queue.ts";

const RETRY_MS = 1_000;
const LIMIT_MS = 60_000;

/** Finds what is attached, and tells the service. @throws an Error that says what could not be done. */
export type Recover = () => Promise<void>;

export interface RecoveryOptions {
  readonly recover?: Recover;
  readonly retryMs?: number;
}

/** Starts the part. It looks whenever everything has to be listed anew: a store that was put back has another log. */
export async function startRecovery(
  context: AgentContext,
  { recover = recoverByProcess(context), retryMs = RETRY_MS }: RecoveryOptions = {},
): Promise<AgentPart> {
  const { service, logger, feed } = context;
  let problem: AgentProblem | null = null;
  const tell = async (): Promise<void> => {
    if ((await service.info()).recovering) {
      problem = problemOf("the service is in recovery: it is being told what is attached here");
      await recover();
      if ((await service.info()).recovering) throw new Error("it still is");
      logger.info({}, "agent: told the service, which was in recovery, what is attached here");
    }
    problem = null;
  };
  const queue = new WorkQueue({
    limits: { firstMs: retryMs, mostMs: retryMs },
    work: tell,
    onFailure: ({ thrown }) => {
      problem = problemOf(
        `the service is in recovery, and cannot be told what is attached: ${(thrown as Error).message}`,
      );
      logger.warn({ reason: problem.message }, "agent: recovery");
    },
  });
  const unsubscribe = feed.subscribe({ onReset: () => void queue.wantNow("service"), onEvent: () => {} });
  return {
    name: "recovery",
    applied: () => queue.idle(),
    problems: () => (problem === null ? [] : [problem]),
    close: async () => {
      unsubscribe();
      await queue.close();
    },
  };
}

function problemOf(message: string): AgentProblem {
  return { severity: "error", object: "service", message };
}

function recoverByProcess({ config }: AgentContext): Recover {
  const program = ownExecutable();
  if (program === null) {
    return async () => {
      throw new Error("this is not the compiled executable; run: fairlead ipam recover");
    };
  }
  const places = ["--cni-conf-dir", config.cniConfDir, "--cni-cache-dir", config.cniCacheDir];
  const args = ["ipam", "recover", "--json", "--socket", config.serverSocket, ...places];
  return () => runChild({ program, args, limitMs: LIMIT_MS, fine: FINE });
}

/** Status 1 says that something could not be put right, which the service's log has. */
const FINE = [0, 1];
