/** The service over its unix socket, as the agent uses it. */
import { createHttpClient } from "../../lib/rpc/http-client.ts";
import type { NodeService } from "../base/part.ts";
import type { Watch } from "../reconcile/feed.ts";

/** A service, and how to follow it. */
export interface ServiceAccess {
  readonly service: NodeService;
  readonly watch: Watch;
  close(): void;
}

/** Connects when it is used: the service need not be there yet. */
export function connectService(socket: string): ServiceAccess {
  const endpoint = { socket };
  const service = createHttpClient({ endpoint });
  const watch: Watch = (since, onEvent, onEnd) => {
    // Its own client, because the word that a watch has ended goes to the client.
    const watcher = createHttpClient({ endpoint, onWatchEnd: onEnd });
    const stop = watcher.watchEvents(since, onEvent);
    return () => {
      stop();
      watcher.close();
    };
  };
  return { service, watch, close: () => service.close() };
}
