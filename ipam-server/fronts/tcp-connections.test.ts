import { EventEmitter } from "node:events";
import type { Server, Socket } from "node:net";
import { connectionLimits, descriptorLimit, peerOf, TcpConnections } from "./tcp-connections.ts";

class FakeSocket extends EventEmitter {
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort: number;
  isOpen = true;

  constructor(remotePort: number) {
    super();
    this.remotePort = remotePort;
  }

  destroy(): void {
    this.isOpen = false;
    this.emit("close");
  }
}

let connections: TcpConnections;
let ports: number;

beforeEach(() => {
  jest.useFakeTimers();
  connections = new TcpConnections({ connections: 3, strangerMs: 1_000 });
  ports = 0;
});
afterEach(() => jest.useRealTimers());

function take(port = ++ports): FakeSocket {
  const socket = new FakeSocket(port);
  connections.take(socket as unknown as Socket);
  return socket;
}
const know = (socket: FakeSocket): void => connections.know(peerOf(socket));
const open = (sockets: readonly FakeSocket[]): boolean[] => sockets.map(({ isOpen }) => isOpen);

test("over the limit the oldest that has not shown the token goes", () => {
  const sockets = [take(), take(), take()];
  know(sockets[0] as FakeSocket);
  sockets.push(take());
  expect(open(sockets)).toEqual([true, false, true, true]);
  expect(connections.count).toBe(3);
});

test("when all have shown it, the new one goes", () => {
  const sockets = [take(), take(), take()];
  sockets.forEach(know);
  sockets.push(take());
  expect(open(sockets)).toEqual([true, true, true, false]);
  sockets[1]?.destroy();
  expect(take().isOpen).toBe(true);
});

test("who does not show the token in time goes; who did stays", () => {
  const sockets = [take(), take()];
  know(sockets[0] as FakeSocket);
  jest.advanceTimersByTime(999);
  expect(open(sockets)).toEqual([true, true]);
  jest.advanceTimersByTime(1);
  expect(open(sockets)).toEqual([true, false]);
  expect(connections.count).toBe(1);
});

test("nothing is left of those that are closed", () => {
  for (const socket of [take(), take()]) socket.destroy();
  expect(connections.count).toBe(0);
  expect(jest.getTimerCount()).toBe(0);
  connections.know("127.0.0.1 1");
  expect(connections.count).toBe(0);
});

test.each([
  ["that shows the token", true],
  ["that does not", false],
])(
  "the late end of a connection does not count for the next from the same port, one %s",
  (_name, isKnown) => {
    const first = take(7);
    const second = take(7);
    if (isKnown) know(second);
    first.destroy();
    expect(connections.count).toBe(1);
    second.destroy();
    expect(connections.count).toBe(0);
  },
);

test("who connects to a server that is watched is counted", () => {
  const server = new EventEmitter();
  connections.watch(server as unknown as Server);
  server.emit("connection", new FakeSocket(1));
  expect(connections.count).toBe(1);
});

test("the limit leaves descriptors to others", () => {
  expect(
    [65_536, 1_024, 256, 1, Number.POSITIVE_INFINITY].map((most) => connectionLimits(most).connections),
  ).toEqual([512, 256, 64, 1, 512]);
  const limits =
    "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
  expect(descriptorLimit(() => limits)).toBe(1024);
  expect(
    descriptorLimit(() => "Max open files            unlimited            unlimited            files"),
  ).toBe(Number.POSITIVE_INFINITY);
  expect(descriptorLimit()).toBeGreaterThan(10);
});
