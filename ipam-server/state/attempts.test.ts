import { Attempts, NOTHING_DONE } from "./attempts.ts";

const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };
const MADE = { ...NOTHING_DONE, created: true };
const OVER = { ...MADE, isOver: true };

let attempts: Attempts;
beforeEach(() => {
  attempts = new Attempts();
});

test("an attempt is known by its name and by each part of its key", () => {
  attempts.remember(KEY, "one", MADE);
  expect(attempts.find(KEY, "one")).toBe(MADE);
  expect(attempts.find(KEY, "two")).toBeUndefined();
  for (const other of [{ networkName: "db" }, { containerId: "c2" }, { ifname: "eth1" }])
    expect(attempts.find({ ...KEY, ...other }, "one")).toBeUndefined();
});

test("what is taken back is as it was before: unknown, or another", () => {
  const forget = attempts.remember(KEY, "one", MADE);
  const revive = attempts.remember(KEY, "one", OVER);
  expect(attempts.find(KEY, "one")).toBe(OVER);
  revive();
  expect(attempts.find(KEY, "one")).toBe(MADE);
  forget();
  expect(attempts.find(KEY, "one")).toBeUndefined();
});

test("as many as can wait at once are remembered; then the oldest is forgotten", () => {
  const most = 16_384;
  for (let at = 0; at < most; at += 1) attempts.remember(KEY, `${at}`, MADE);
  // Again under its name, it is no further one.
  attempts.remember(KEY, "7", OVER);
  expect(attempts.find(KEY, "0")).toBe(MADE);
  attempts.remember(KEY, "one more", MADE);
  const known = ["0", "1", "7", `${most - 1}`, "one more"].map((name) => attempts.find(KEY, name));
  expect(known).toEqual([undefined, MADE, OVER, MADE, MADE]);
});
