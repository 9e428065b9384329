/** What the service does unasked: ends stays of earlier boots, makes predefined networks, removes old events. */
import { type Logger, silentLogger } from "../lib/log.ts";
import { findOfEarlierBoots, releaseOfEarlierBoots } from "./operations/earlier-boots.ts";
import { createPredefined, type Settings } from "./operations/networks.ts";
import { PREDEFINED_NETWORKS } from "./operations/predefined.ts";
import { DEFAULT_KEEP, trimHistory } from "./operations/retention.ts";
import type { ServiceOptions } from "./service-options.ts";
import type { Engine } from "./state/engine.ts";

/** How often old events are looked for. */
const TRIM_EVERY_MS = 3_600_000;

export class Upkeep {
  readonly #options: ServiceOptions;
  readonly #settings: Settings;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ServiceOptions, settings: Settings, engine: Engine) {
    this.#options = options;
    this.#settings = settings;
    this.#engine = engine;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Leases of this node's earlier boots, a group at a time. Not while the store is not believed: they may be this boot's by now. */
  async releaseEarlierBoots(): Promise<void> {
    const { boot } = this.#options;
    if (boot === undefined) return;
    for (let attachments = -1; attachments !== 0; ) {
      attachments = await this.#engine.write("server", (tx) => {
        const group = findOfEarlierBoots(tx.state, boot);
        releaseOfEarlierBoots(tx, group);
        return group.length;
      });
      if (attachments > 0)
        this.#logger.info({ attachments }, "released what earlier boots of this node held");
    }
  }

  /** One that cannot be made is missing, and the log says why; the service serves all the same. */
  async makePredefined(): Promise<void> {
    const { predefined } = this.#options;
    if (predefined === undefined) return;
    const missing = await this.#engine.read((state) =>
      PREDEFINED_NETWORKS.filter(({ name }) => state.network(name) === undefined),
    );
    let avoid: readonly string[] | undefined;
    for (const network of missing) {
      try {
        avoid ??= predefined.avoid();
        const wanted = { ...network, avoid };
        await this.#engine.write("server", (tx) => createPredefined(tx, wanted, this.#settings));
        this.#logger.info({ network: network.name }, "predefined network made");
      } catch (err) {
        this.#logger.warn({ err, network: network.name }, "predefined network not made");
      }
    }
  }

  /** Removes old events, now and every hour. */
  keepTrimming(): void {
    void this.#trim();
    this.#timer = setInterval(() => void this.#trim(), TRIM_EVERY_MS).unref();
  }

  /** Never rejects: what could not be removed stays until the next time. */
  async #trim(): Promise<void> {
    const { store, keep = DEFAULT_KEEP } = this.#options;
    const restSeconds = this.#settings.coolingSeconds;
    const { signal } = this.#ending;
    try {
      const events = await trimHistory({ engine: this.#engine, store, keep, restSeconds, signal });
      if (events > 0) this.#logger.info({ events, trimmedRevision: store.trimmedRevision }, "events removed");
    } catch (err) {
      if (!signal.aborted) this.#logger.warn({ err }, "old events not removed");
    }
  }

  /** Begins nothing any more. Idempotent. */
  close(): void {
    this.#ending.abort();
    clearInterval(this.#timer);
  }
}
