/** A model of one network's addresses that is too simple to be wrong. It knows their states, and chooses none. */

export const COOLING_MS = 60_000;
/** Small enough to run out: .1 is the gateway, .4 is excluded. */
export const POOLS = [
  ["10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.6"],
  ["fd00::2", "fd00::3", "fd00::4", "fd00::5", "fd00::6", "fd00::7"],
];
export const ADDRESSES = POOLS.flat();
/** What the pools are those of. */
export const NETWORK = {
  name: "web",
  subnets: [{ subnet: "10.1.0.0/29", exclusions: ["10.1.0.4"] }, { subnet: "fd00::/125" }],
};

/** One request. `who` is a container ID. */
export type Op =
  | { op: "acquire"; who: string; node: 1 | 2; asked: string | null; sticky: string; boot: string }
  | { op: "release"; who: string; node: 1 | 2 }
  | { op: "gc"; valid: string[]; node: 1 | 2 }
  | { op: "reserve" | "unreserve" | "quarantine" | "unquarantine"; address: string; sticky: string };

export type OpOf<K extends Op["op"]> = Extract<Op, { op: K }>;

export interface Holder {
  who: string;
  node: string;
  boot: string;
}

/** What an attachment holds, or held until now, by address. */
export type Held = readonly [string, Address][];

export class Address {
  holder: Holder | null = null;
  lastWho = "";
  sticky = "";
  untilMs = 0;
  reservedFor: string | null = null;
  isQuarantined = false;
  wasUsed = false;

  state(nowMs: number): string | null {
    if (this.holder !== null) return "bound";
    if (this.isQuarantined) return "quarantined";
    if (this.untilMs > nowMs) return "cooling";
    return this.reservedFor === null ? null : "reserved";
  }

  /** Whether an attachment may be given it; `asked` when it asked for this very one, or holds it till now. */
  mayHave(op: { sticky: string }, asked: boolean): boolean {
    if (this.holder !== null || this.isQuarantined) return false;
    if (this.reservedFor === null) return true;
    return this.reservedFor === "" ? asked : this.reservedFor === op.sticky;
  }
}

export class Model {
  readonly addresses = new Map(ADDRESSES.map((text) => [text, new Address()]));
  nowMs = 0;

  at(text: string): Address {
    const address = this.addresses.get(text);
    if (address === undefined) throw new Error(`${text} was never to be handed out`);
    return address;
  }

  heldBy(who: string): [string, Address][] {
    return [...this.addresses].filter(([, { holder }]) => holder?.who === who);
  }

  list(): string[] {
    const states = [...this.addresses].map(([text, address]) => [text, address.state(this.nowMs)] as const);
    return states.filter(([, state]) => state !== null).map(([text, state]) => `${text} ${state}`);
  }

  /** `who addresses` of each holder. */
  endpoints(): string[] {
    const whos = new Set([...this.addresses.values()].flatMap(({ holder }) => holder?.who ?? []));
    return [...whos].map((who) => `${who} ${this.heldBy(who).map(([text]) => text)}`);
  }

  free(address: Address): void {
    if (address.holder === null) return;
    address.lastWho = address.holder.who;
    address.holder = null;
    address.untilMs = this.nowMs + COOLING_MS;
  }
}
