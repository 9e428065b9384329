import { FairleadError } from "../errors.ts";
import { Closers, startOrClose } from "./closers.ts";

let closed: string[];
beforeEach(() => {
  closed = [];
});

const closing = (name: string) => async (): Promise<void> => void closed.push(name);
const failing = (name: string) => async (): Promise<void> => {
  closed.push(name);
  throw new Error(`${name} is stuck`);
};

test("closes newest first, and once", async () => {
  const closers = new Closers();
  for (const name of ["store", "service", "socket"]) closers.add(closing(name));
  await Promise.all([closers.close(), closers.close()]);
  await closers.close();
  expect(closed).toEqual(["socket", "service", "store"]);
});

test("one that cannot be closed does not keep the others open", async () => {
  const closers = new Closers();
  for (const close of [closing("store"), failing("service"), failing("socket")]) closers.add(close);
  await expect(closers.close()).rejects.toMatchObject({
    code: "multiple",
    reason: expect.stringMatching(/socket is stuck.*service is stuck/),
  });
  expect(closed).toEqual(["socket", "service", "store"]);
});

test("a start that succeeds leaves everything open", async () => {
  const started = await startOrClose(async (closers) => {
    closers.add(closing("store"));
    return { close: () => closers.close() };
  });
  expect(closed).toEqual([]);
  await started.close();
  expect(closed).toEqual(["store"]);
});

test("a start that fails closes what it had opened, and throws its reason", async () => {
  const reason = new FairleadError({ code: "already-exists", operation: "listen on", reason: "taken" });
  const start = async (closers: Closers): Promise<never> => {
    for (const name of ["store", "service"]) closers.add(closing(name));
    throw reason;
  };
  await expect(startOrClose(start)).rejects.toBe(reason);
  expect(closed).toEqual(["service", "store"]);
});

test("a start that fails and cannot be taken back says both, the reason first", async () => {
  const start = async (closers: Closers): Promise<never> => {
    closers.add(failing("store"));
    throw new Error("no room");
  };
  await expect(startOrClose(start)).rejects.toMatchObject({
    code: "multiple",
    reason: expect.stringMatching(/no room.*store is stuck/),
  });
});
