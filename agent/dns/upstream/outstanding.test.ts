import { Outstanding, type Ticket } from "./outstanding.ts";

const LIMITS = { outstanding: 6, perClient: 5 };

let outstanding: Outstanding;
beforeEach(() => {
  outstanding = new Outstanding(LIMITS);
});

const begin = (networkName: string, client: string): Ticket | null =>
  outstanding.begin({ networkName, client });
const many = (networkName: string, client: string, count: number): (Ticket | null)[] =>
  Array.from({ length: count }, () => begin(networkName, client));
const isAborted = (ticket: Ticket | null | undefined): boolean | undefined => ticket?.signal.aborted;

test("one asker has a limit of its own", () => {
  const tickets = many("a", "x", 6);
  expect(tickets.map((one) => one !== null)).toEqual([true, true, true, true, true, false]);
  tickets[0]?.done();
  tickets[0]?.done();
  expect(outstanding.count).toBe(4);
  expect(begin("a", "x")).not.toBeNull();
});

test("what is over twice is over once, also while others ask on its network", () => {
  const [ticket] = many("a", "x", 1);
  many("a", "y", 1);
  ticket?.done();
  ticket?.done();
  expect(outstanding.count).toBe(1);
});

test("when there is no room, the network with most gives up its oldest, of the asker with most", () => {
  const loud = many("a", "loud", 4);
  const quiet = many("a", "quiet", 2);
  expect(begin("b", "y")).not.toBeNull();
  expect([...loud, ...quiet].map(isAborted)).toEqual([true, false, false, false, false, false]);
  expect(outstanding.count).toBe(6);
  // What was given up is over: saying so changes nothing.
  loud[0]?.done();
  expect(outstanding.count).toBe(6);
});

test("within a network, the asker with most gives way to who has less", () => {
  const loud = many("a", "loud", 5);
  many("a", "quiet", 1);
  expect(begin("a", "quiet")).not.toBeNull();
  expect(loud.map(isAborted)).toEqual([true, false, false, false, false]);
  expect(begin("a", "quiet")).not.toBeNull();
  // Three and three: nobody has more than the asker would.
  expect(begin("a", "quiet")).toBeNull();
  expect(begin("a", "loud")).toBeNull();
});

test("a network that has as much as another takes nothing from it", () => {
  many("a", "x", 3);
  many("b", "y", 3);
  expect(begin("b", "y")).toBeNull();
  expect(begin("b", "z")).not.toBeNull();
  expect(outstanding.count).toBe(6);
});

test("one that has a single question more than another keeps it, of networks and within one", () => {
  many("a", "x", 3);
  many("b", "y", 2);
  many("c", "z", 1);
  expect(begin("b", "y")).toBeNull();
  outstanding = new Outstanding({ outstanding: 5, perClient: 5 });
  many("a", "x", 3);
  many("a", "y", 2);
  expect(begin("a", "y")).toBeNull();
});

test("what is over counts no more: a network that had much gives up nothing for it", () => {
  const loud = many("a", "x", 4);
  for (const ticket of loud.slice(0, 3)) ticket?.done();
  const busy = many("b", "y", 4);
  many("c", "z", 1);
  expect(begin("d", "w")).not.toBeNull();
  expect([...loud.slice(3), ...busy].map(isAborted)).toEqual([false, true, false, false, false]);
});

test("of what a network had, the rest still counts when some is over", () => {
  const loud = many("a", "x", 5);
  loud[0]?.done();
  many("b", "y", 2);
  expect(begin("b", "y")).not.toBeNull();
  expect(loud.map(isAborted)).toEqual([false, true, false, false, false]);
});

test("of those who have as much as each other, the first to ask gives way", () => {
  const [first, second] = [many("a", "x", 3), many("b", "y", 3)];
  expect(begin("c", "z")).not.toBeNull();
  expect([...first, ...second].map(isAborted)).toEqual([true, false, false, false, false, false]);
});

test("nothing is left of those who are done", () => {
  const tickets = [...many("a", "x", 3), ...many("b", "y", 3)];
  for (const ticket of tickets) ticket?.done();
  expect(outstanding.count).toBe(0);
  expect(many("c", "z", 5).every((one) => one !== null)).toBe(true);
});

test("closing ends everything", () => {
  const tickets = [...many("a", "x", 3), ...many("b", "y", 3)];
  outstanding.close();
  expect(tickets.every(isAborted)).toBe(true);
  expect(outstanding.count).toBe(0);
});
