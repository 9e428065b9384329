import { FairleadError } from "../../lib/errors.ts";
import type { AcquireResponse } from "../../lib/ipam/api.ts";
import { PendingGrant } from "./pending-grant.ts";

const key = { networkName: "net", containerId: "c", ifname: "eth0" };

function granted(created: boolean): AcquireResponse {
  const address = { gateway: null, subnet: "10.1.0.0/24", pool: 0 };
  const addresses = [7, 8].map((sequence) => ({ ...address, address: `10.1.0.${sequence}/24`, sequence }));
  return { networkId: "id", addresses, created };
}

function grantOf(answer: () => AcquireResponse, isForInterface = false): PendingGrant {
  return new PendingGrant({ key, attempt: "add", isForInterface, answer });
}

function failing(
  code: "timeout" | "unavailable" | "pool-exhausted",
  details: Record<string, unknown> = {},
): () => AcquireResponse {
  return () => {
    throw new FairleadError({ code, operation: "acquire", reason: "told to fail", details });
  };
}

test("what was granted is undone by its sequences, whether anybody waited for it or not", () => {
  const undoing = { key, sequences: [7, 8] };
  const awaited = grantOf(() => granted(true));
  awaited.finish();
  expect(awaited.undoing()).toEqual(undoing);
  expect(awaited.isSilent).toBe(false);
  expect(grantOf(() => granted(true)).undoing()).toEqual(undoing);
});

test("what was held before is not undone", () => {
  expect(grantOf(() => granted(false)).undoing()).toBeNull();
});

test("unless the interface was made for it: a service that was started anew calls its own grant one of before", () => {
  const made = grantOf(() => granted(false), true);
  expect(made.isNew).toBe(false);
  made.finish();
  expect(made.undoing()).toEqual({ key, sequences: [7, 8] });
  expect(made.isNew).toBe(false);
  const asked = grantOf(() => granted(true), true);
  asked.finish();
  expect(asked.isNew).toBe(true);
});

test("a question that was refused leaves nothing to undo", () => {
  expect(grantOf(failing("pool-exhausted")).undoing()).toBeNull();
  const made = grantOf(failing("pool-exhausted"), true);
  expect(() => made.finish()).toThrow(expect.objectContaining({ code: "pool-exhausted" }));
  expect([made.undoing(), made.isSilent]).toEqual([null, false]);
});

test("neither does one that nobody heard", () => {
  const grant = grantOf(failing("unavailable", { wasSent: false }));
  expect(() => grant.finish()).toThrow();
  expect(grant.undoing()).toBeNull();
});

test.each(["timeout", "unavailable"] as const)("after %s nobody knows: the attempt is given up", (code) => {
  const grant = grantOf(failing(code));
  expect(() => grant.finish()).toThrow(expect.objectContaining({ code }));
  expect(grant.undoing()).toEqual({ key, attempts: ["add"], onlyAttempts: true });
  expect(grant.isSilent).toBe(code === "timeout");
});

test("whoever made the interface before waiting knows that nothing alive had the addresses", () => {
  const made = grantOf(failing("timeout"), true);
  expect(() => made.finish()).toThrow();
  expect(made.undoing()).toMatchObject({ wasNew: true });
  expect(grantOf(failing("timeout"), true).undoing()).not.toHaveProperty("wasNew");
});
