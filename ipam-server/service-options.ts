/** What the service is opened with. */
import type { Clock } from "../lib/clock.ts";
import type { FairleadError } from "../lib/errors.ts";
import type { ServiceNode } from "../lib/ipam/api.ts";
import type { LeaseStore } from "../lib/ipam/store.ts";
import type { Logger } from "../lib/log.ts";
import type { GroupFigures } from "./fronts/group-metrics.ts";
import type { DefaultPool } from "./operations/default-pools.ts";
import type { NodeBoot } from "./operations/earlier-boots.ts";
import type { Keep } from "./operations/retention.ts";
import type { BootMemory } from "./store/boot-memory.ts";

export interface ServiceOptions {
  /** The service owns it from here on: {@link RunningService.close} closes it. */
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** Grows by the time that passes, whoever sets the clock. Default: the clock, which is then believed when it jumps forward. */
  readonly elapsed?: Clock;
  readonly logger?: Logger;
  readonly defaults: { readonly coolingSeconds: number; readonly defaultPools: readonly DefaultPool[] };
  /** Version of the program, for {@link IpamService.info}. */
  readonly version: string;
  /** Most requests that share one store transaction. */
  readonly maxGroup?: number;
  /** Milliseconds of preparing after which a group is committed as it is. Default: 2. */
  readonly maxGroupMs?: number;
  /**
   * Called once when the service cannot go on: its memory or its hold on the store cannot be trusted. Every
   * change is refused from then on; the process should end, and be started again.
   */
  readonly onFatal?: (error: FairleadError) => void;
  /** Told of each group of changes, for metrics. */
  readonly onGroup?: (figures: GroupFigures) => void;
  /** Makes the ID of a network: 64 hexadecimal digits. Default: random. */
  readonly newNetworkId?: () => string;
  /** This node and its present boot; absent: leases of earlier boots stay, and no other store is noticed. */
  readonly boot?: NodeBoot & { readonly memory: BootMemory };
  /** Where this process runs, for {@link IpamService.info}. Absent: nowhere in particular. */
  readonly node?: ServiceNode;
  /** How much of the event log is kept. Default: `DEFAULT_KEEP` of operations/retention.ts. */
  readonly keep?: Keep;
  /** Makes the predefined networks that are missing; absent: makes none. */
  readonly predefined?: {
    /** As in {@link CreateNetworkRequest}; asked once, when there is a network to be made. */
    readonly avoid: () => readonly string[];
  };
}
