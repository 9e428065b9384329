/**
 * The IPAM service as a plugin meets it at the service's socket: it gives the answers that a test has written down, in their order,
 * and keeps what it was asked. A test puts `begin` in the place of `beginExchange` of lib/linux/sockets/stream-socket.ts.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../../lib/cni/json.ts";
import { type ErrorCode, FairleadError } from "../../../lib/errors.ts";
import type { ExchangeOptions, PendingExchange } from "../../../lib/linux/sockets/stream-socket.ts";
import { serviceOf } from "../../../plugins/addresses/ipam-binding.ts";
import { readAddressConfig } from "../../../plugins/configuration/attachment.ts";

/** What a request meets: an answer; `away`: nobody listens; `lost`: the answer does not come. */
export type ScriptedAnswer =
  | { readonly status: number; readonly body: object | null }
  | { readonly away: FairleadError }
  | { readonly lost: FairleadError };

export const done = (body: object | null = null): ScriptedAnswer => ({ status: 200, body });

/** The service's own refusal. */
export function refused(code: ErrorCode, rest: object = {}): ScriptedAnswer {
  return { status: 409, body: { error: { code, operation: "acquire", reason: "told to refuse", ...rest } } };
}

const failure = (code: ErrorCode) =>
  new FairleadError({ code, operation: "talk to", reason: "told to fail" });
export const away: ScriptedAnswer = { away: failure("unavailable") };
export const lost = (code: "unavailable" | "timeout"): ScriptedAnswer => ({ lost: failure(code) });

/** What is granted of one pool; its sequence is the last number of the address. */
export const leased = (address: string, more: object = {}) => ({
  address: `${address}/24`,
  gateway: null,
  subnet: "10.1.0.0/24",
  pool: 0,
  sequence: Number(address.split(".")[3]),
  ...more,
});

export function granted(addresses: readonly object[] = [leased("10.1.0.2")], created = true): ScriptedAnswer {
  return done({ networkId: "id", addresses, created });
}

export const released = (...addresses: string[]): ScriptedAnswer => done({ released: addresses, kept: [] });

/** What an instant looks like, and the name that a plugin gives an attempt. */
export const INSTANT = expect.stringMatching(/^\d{4}-.*Z$/);
export const ATTEMPT = expect.stringMatching(/^[0-9a-z]+-[0-9a-z]+$/);

class ScriptedIpam {
  /** Path behind `/v1/`, and body. */
  readonly asked: [what: string, body: unknown][] = [];
  /** Socket and time limit of each exchange. */
  readonly limits: [socket: string, timeoutMs: number][] = [];
  #script: ScriptedAnswer[] = [];

  answers(...script: ScriptedAnswer[]): void {
    this.#script.push(...script);
  }

  get whats(): string[] {
    return this.asked.map(([what]) => what);
  }

  /** The name that the request of this place has given itself. */
  attemptAt(place: number): string {
    const [, body] = this.asked[place] ?? ["", {}];
    return (body as { attempt?: string }).attempt ?? "";
  }

  begin(socket: string, request: Uint8Array, options: ExchangeOptions): PendingExchange {
    const [head = "", body = ""] = new TextDecoder().decode(request).split("\r\n\r\n");
    const what = head.split(" ")[1]?.replace("/v1/", "") ?? "";
    this.asked.push([what, body === "" ? null : JSON.parse(body)]);
    this.limits.push([socket, options.timeoutMs]);
    const answer = this.#script.shift();
    if (answer === undefined) throw new Error(`the script has no answer to ${what}`);
    if ("away" in answer) throw answer.away;
    return { isAnswered: () => true, finish: () => finish(answer, options) };
  }
}

function finish(answer: Exclude<ScriptedAnswer, { away: unknown }>, options: ExchangeOptions): Uint8Array {
  if ("lost" in answer) throw answer.lost;
  const body = answer.body === null ? "" : JSON.stringify(answer.body);
  const head = `HTTP/1.1 ${answer.status} x\r\nContent-Length: ${new TextEncoder().encode(body).length}\r\n\r\n`;
  const bytes = new TextEncoder().encode(head + body);
  if (!options.isComplete(bytes)) throw new Error("the plugin would wait for more");
  return bytes;
}

/** A service, and a folder for all that is a file, both made anew for each test. */
export interface IpamScene {
  service: ScriptedIpam;
  directory: string;
  log: string[];
  readonly stateDir: string;
  /** A network of the service, with further keys of `ipam`. */
  section(keys?: JsonObject): JsonObject;
  /** The pending releases on disk. */
  intents(): JsonObject[];
}

export function useScriptedIpam(): IpamScene {
  const scene: IpamScene = {
    service: new ScriptedIpam(),
    directory: "",
    log: [],
    get stateDir() {
      return join(scene.directory, "state");
    },
    section: (keys = {}) => sectionIn(scene, keys),
    intents: () => intentsIn(join(scene.stateDir, "release-intents")),
  };
  beforeEach(() => {
    const directory = mkdtempSync(join(tmpdir(), "fairlead-ipam-scene-"));
    Object.assign(scene, { service: new ScriptedIpam(), directory, log: [] });
  });
  afterEach(() => rmSync(scene.directory, { recursive: true }));
  return scene;
}

/** The service of a network with further keys of `ipam`, as a plugin has it; it logs into the scene. */
export function centralOf(scene: IpamScene, networkName: string) {
  return (keys: JsonObject = {}, rest: JsonObject = {}) => {
    const raw = { ipam: scene.section(keys), ...rest };
    return serviceOf(readAddressConfig({ raw, networkName }), { log: (line) => scene.log.push(line) });
  };
}

function sectionIn({ directory, stateDir }: IpamScene, keys: JsonObject): JsonObject {
  const files = { socket: join(directory, "socket"), stateDir, dataDir: join(directory, "networks") };
  return { type: "fairlead-ipam", ...files, ...keys };
}

function intentsIn(directory: string): JsonObject[] {
  return readdirSync(directory).map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")));
}
