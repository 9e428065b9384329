import { TcpClients } from "./tcp-clients.ts";

const LIMITS = { connections: 5, perClient: 2, idleMs: 1_000, messageMs: 100, unreadBytes: 10 };

let now: number;
let closed: string[];
let limited: number;
let clients: TcpClients;

beforeEach(() => {
  now = 0;
  closed = [];
  limited = 0;
  clients = new TcpClients({ limits: LIMITS, now: () => now, onClosed: () => limited++ });
});

function connect(name: string, address = name) {
  const client = { address, close: () => void closed.push(name) };
  clients.add(client);
  return client;
}

test("of one address the one that was silent longest makes room for a new one", () => {
  const first = connect("a1", "a");
  connect("a2", "a");
  clients.active(first);
  connect("a3", "a");
  expect(closed).toEqual(["a2"]);
  expect(limited).toBe(1);
});

test("a client that holds many does not cost others theirs", () => {
  connect("b");
  for (let index = 0; index < 10; index++) connect(`a${index}`, "a");
  expect(closed).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]);
});

test("of all together the one that was silent longest makes room", () => {
  for (const name of ["a", "b", "c", "d", "e"]) connect(name);
  connect("f");
  expect(closed).toEqual(["a"]);
  expect(clients.count).toBe(5);
});

test("silence, and a message that takes too long, end a connection; messages keep it", () => {
  const slow = connect("slow");
  const busy = connect("busy");
  connect("idle");
  clients.began(slow);
  now = 99;
  clients.closeOverdue();
  expect(closed).toEqual([]);
  now = 100;
  clients.closeOverdue();
  expect(closed).toEqual(["slow"]);
  now = 999;
  clients.active(busy);
  now = 1_000;
  clients.closeOverdue();
  expect(closed).toEqual(["slow", "idle"]);
});

test("one that went by itself counts for nothing any more", () => {
  const gone = connect("a1", "a");
  clients.remove(gone);
  clients.active(gone);
  clients.evict(gone);
  connect("a2", "a");
  connect("a3", "a");
  expect(closed).toEqual([]);
  expect(clients.count).toBe(2);
});

test("of those of one address that are left, each goes on counting", () => {
  const gone = connect("a1", "a");
  connect("a2", "a");
  clients.remove(gone);
  clients.active(gone);
  expect(clients.count).toBe(1);
  connect("a3", "a");
  connect("a4", "a");
  expect(closed).toEqual(["a2"]);
});

test("one that takes too much is closed, once, and counted as limited, also when its end is told then", () => {
  const greedy = connect("a");
  connect("b");
  clients.evict(greedy);
  clients.remove(greedy);
  clients.evict(greedy);
  expect([closed, limited, clients.count]).toEqual([["a"], 1, 1]);
});

test("who watches closes those that are overdue, again and again, until the end", async () => {
  const gone = new Map(["a", "b"].map((name) => [name, Promise.withResolvers<void>()]));
  const add = (name: string): void => clients.add({ address: name, close: () => gone.get(name)?.resolve() });
  add("a");
  now = 1_000;
  const watching = clients.watch();
  await gone.get("a")?.promise;
  add("b");
  now = 2_000;
  await gone.get("b")?.promise;
  expect(limited).toBe(2);
  clients.close();
  await watching;
});

test("closing closes everybody, for no limit", () => {
  connect("a");
  connect("b");
  clients.close();
  expect(closed).toEqual(["a", "b"]);
  expect(limited).toBe(0);
});
