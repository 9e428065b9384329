/** The DNS part of the agent: names of containers, on each network's gateway address. */
import { basename, dirname } from "node:path";
import type { AgentContext, AgentPart } from "../part.ts";
import { NamesProcess } from "./names-process.ts";
import { NodePortKeeper } from "./port-keeper.ts";
import { DnsServer } from "./server.ts";

/** Starts to serve names, in a process of its own where this is the compiled executable: under Node there is none to start. */
export async function startNames(context: AgentContext): Promise<AgentPart> {
  const { execPath: executable } = process;
  if (!basename(executable).startsWith("fairlead")) return startDns(context);
  const { config, logger } = context;
  const part = new NamesProcess({
    executable,
    config,
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
