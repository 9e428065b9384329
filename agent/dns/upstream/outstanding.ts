/**
 * What is under way upstream, shared out: when there is no room, whoever has most under way gives up one for whoever has less.
 * First among networks, then among the askers of one: so neither a container nor a network keeps the others from the world.
 */

export interface OutstandingLimits {
  /** Under way at once, of everybody. */
  readonly outstanding: number;
  /** Under way at once, of one address. */
  readonly perClient: number;
}

export interface Place {
  readonly networkName: string;
  readonly client: string;
}

/** One question under way. */
export interface Ticket {
  /** Comes when somebody else needed the room. */
  readonly signal: AbortSignal;
  /** It is over. Idempotent. */
  done(): void;
}

interface Client {
  /** Oldest first. */
  readonly tickets: Set<AbortController>;
}

export class Outstanding {
  readonly #limits: OutstandingLimits;
  /** Network → address → what it has under way. Nothing empty is kept. */
  readonly #networks = new Map<string, Map<string, Client>>();
  readonly #sizes = new Map<string, number>();
  #count = 0;

  constructor(limits: OutstandingLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /** Null: there is no room, and nobody has more than the asker. */
  begin(place: Place): Ticket | null {
    const own = this.#networks.get(place.networkName)?.get(place.client)?.tickets.size ?? 0;
    if (own >= this.#limits.perClient) return null;
    if (this.#count >= this.#limits.outstanding && !this.#makeRoom(place, own)) return null;
    const controller = new AbortController();
    this.#add(place, controller);
    return { signal: controller.signal, done: () => this.#remove(place, controller) };
  }

  /** Ends everything. */
  close(): void {
    const all = [...this.#networks].flatMap(([networkName, clients]) =>
      [...clients].flatMap(([client, { tickets }]) =>
        [...tickets].map((ticket) => ({ place: { networkName, client }, ticket })),
      ),
    );
    for (const { place, ticket } of all) {
      this.#remove(place, ticket);
      ticket.abort();
    }
  }

  /** Ends the oldest question of whoever has most, unless that is no more than the asker would have. */
  #makeRoom({ networkName }: Place, own: number): boolean {
    const [largest, size] = mostOf(this.#sizes, (count) => count);
    const isOther = largest !== networkName && size > (this.#sizes.get(networkName) ?? 0) + 1;
    const name = isOther ? largest : networkName;
    const clients = this.#networks.get(name) ?? new Map<string, Client>();
    const [client, most] = mostOf(clients, ({ tickets }) => tickets.size);
    const [oldest] = clients.get(client)?.tickets ?? [];
    if (oldest === undefined || (!isOther && most <= own + 1)) return false;
    this.#remove({ networkName: name, client }, oldest);
    oldest.abort();
    return true;
  }

  #add({ networkName, client }: Place, ticket: AbortController): void {
    const clients = this.#networks.get(networkName) ?? new Map<string, Client>();
    this.#networks.set(networkName, clients);
    const entry = clients.get(client) ?? { tickets: new Set() };
    clients.set(client, entry);
    entry.tickets.add(ticket);
    this.#sizes.set(networkName, (this.#sizes.get(networkName) ?? 0) + 1);
    this.#count++;
  }

  #remove({ networkName, client }: Place, ticket: AbortController): void {
    const clients = this.#networks.get(networkName);
    const tickets = clients?.get(client)?.tickets;
    if (!clients || !tickets?.delete(ticket)) return;
    this.#count--;
    this.#sizes.set(networkName, (this.#sizes.get(networkName) ?? 1) - 1);
    if (tickets.size === 0) clients.delete(client);
    if (clients.size > 0) return;
    this.#networks.delete(networkName);
    this.#sizes.delete(networkName);
  }
}

function mostOf<T>(entries: ReadonlyMap<string, T>, sizeOf: (value: T) => number): [string, number] {
  let most: [string, number] = ["", 0];
  for (const [key, value] of entries) if (sizeOf(value) > most[1]) most = [key, sizeOf(value)];
  return most;
}
