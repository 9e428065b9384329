import { decodeMessage } from "../../../lib/dns/message.ts";
import { queryOf } from "../../../test/support/dns/dns-fixture.ts";
import {
  answerOf,
  type Behaviour,
  closeStarted,
  startUpstream,
  UPSTREAM_PORT,
} from "../../../test/support/dns/dns-loopback.ts";
import { exchange } from "./exchange.ts";

afterEach(closeStarted);

const upstream = { address: "127.0.0.1", port: UPSTREAM_PORT };
const cut: Behaviour = (query) => answerOf(query, [], { truncated: true });

function start(signal: AbortSignal): Promise<Uint8Array> {
  return exchange({ upstream, query: queryOf("example.com"), isAnswer: () => true, resendMs: [], signal });
}

test("nothing is asked for somebody who does not wait any more", async () => {
  const { seen } = await startUpstream(cut);
  await expect(start(AbortSignal.abort())).rejects.toThrow("nobody waits");
  expect(seen).toEqual([]);
});

test("a server that is silent is waited for until nobody waits any more", async () => {
  const caller = new AbortController();
  await startUpstream(() => {
    caller.abort();
    return null;
  });
  await expect(start(caller.signal)).rejects.toThrow("nobody waits");
});

test("while the whole is fetched over TCP, what was cut off is the answer once nobody waits any more", async () => {
  const caller = new AbortController();
  await startUpstream(cut, () => {
    caller.abort();
    return null;
  });
  expect(decodeMessage(await start(caller.signal)).flags.truncated).toBe(true);
});
