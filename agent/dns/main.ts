/** The DNS part of the agent: names of containers, on each network's gateway address. */
import { dirname } from "node:path";
import type { AgentContext, AgentPart } from "../part.ts";
import { NodePortKeeper } from "./port-keeper.ts";
import { DnsServer } from "./server.ts";

/** Starts to serve names as soon as the service tells them; until then nothing is listened on. */
export async function startDns({ service, feed, config, logger }: AgentContext): Promise<AgentPart> {
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
      stop();
      server.close();
      keeper.close();
    },
  };
}
