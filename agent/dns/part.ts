/** The DNS part of the agent: names of containers, on each network's gateway address. */
import { dirname } from "node:path";
import { ownExecutable } from "../base/child-command.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { NodePortKeeper } from "./listen/port-keeper.ts";
import { NamesProcess } from "./names-process.ts";
import { DnsServer } from "./server.ts";

/** Starts to serve names, in a process of its own where this is the compiled executable: under Node there is none to start. */
export async function startNames(context: AgentContext): Promise<AgentPart> {
  const executable = ownExecutable();
  if (executable === null) return startDns(context);
  const { config, feed, logger } = context;
  const part = new NamesProcess({
    executable,
    config,
    feed,
    logger,
    write: (text) => void process.stderr.write(text),
  });
  part.start();
  return part;
}

/**
 * Starts to serve names in this process as soon as the service tells them; until then nothing is listened on.
 * @param releasesPorts asked at the end: false when somebody else keeps the ports from then on.
 */
export async function startDns(
  { service, feed, config, logger }: AgentContext,
  releasesPorts: () => boolean = () => true,
): Promise<AgentPart> {
  const keeper = new NodePortKeeper(logger);
  keeper.begin();
  const server = new DnsServer({
    service,
    logger,
    upstreams: config.dns.upstreams,
    runDir: dirname(config.socket),
    keeper,
  });
  const stop = feed.subscribe({
    onReset: () => server.onReset(),
    onEvent: (event) => server.onEvent(event),
  });
  return {
    name: "dns",
    applied: () => server.applied(),
    problems: () => server.problems(),
    figures: () => ({ ...server.figures() }),
    close: async () => {
      if (!releasesPorts()) keeper.leave();
      stop();
      server.close();
      keeper.close();
    },
  };
}
