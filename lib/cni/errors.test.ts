import { ERROR_TABLE, FairleadError } from "../errors.ts";
import { DelegateError, delegateFailure, toCniError } from "./errors.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("toCniError", () => {
  test("the hint becomes details: a runtime prints `msg; details`", () => {
    const error = new FairleadError({
      code: "invalid-config",
      operation: "create bridge",
      object: "cni0",
      reason: "it is a vlan",
      hint: "name another",
    });
    expect(toCniError(error, "1.0.0")).toEqual({
      cniVersion: "1.0.0",
      code: 7,
      msg: "create bridge cni0: it is a vlan",
      details: "name another",
    });
  });

  test("without object and hint", () => {
    const error = new FairleadError({ code: "timeout", operation: "ask", reason: "no answer" });
    expect(toCniError(error, "1.1.0")).toEqual({ cniVersion: "1.1.0", code: 11, msg: "ask: no answer" });
  });

  test.each(Object.entries(ERROR_TABLE))("%s has its number", (code, { cni }) => {
    const error = new FairleadError({ code: code as keyof typeof ERROR_TABLE, operation: "o", reason: "r" });
    expect(toCniError(error, "1.0.0")["code"]).toBe(cni);
  });

  test.each([new TypeError("boom"), "boom"])("anything else is a fault of ours", (thrown) => {
    expect(toCniError(thrown, "1.0.0")).toMatchObject({ code: 999, msg: expect.stringContaining("boom") });
  });
});

describe("delegateFailure", () => {
  const answer = { code: 102, msg: "no more", details: "x", extra: { a: 1 } };

  test("the delegate's object passes as it is", () => {
    const error = delegateFailure("host-local", bytes(JSON.stringify(answer)), "exit status 1");
    expect(error).toBeInstanceOf(DelegateError);
    expect(error.message).toBe("delegate to host-local: no more; x");
    expect(toCniError(error, "1.0.0")).toEqual({ cniVersion: "1.0.0", ...answer });
  });

  test("also its own cniVersion", () => {
    const error = delegateFailure("x", bytes(`{"cniVersion":"0.4.0","code":7,"msg":"m"}`), "");
    expect(toCniError(error, "1.0.0")["cniVersion"]).toBe("0.4.0");
  });

  test.each([
    [11, "unavailable"],
    [7, "invalid-config"],
    [51, "plugin-limited"],
    [100, "internal"],
    [102, "internal"],
    [999, "internal"],
    [42, "internal"],
  ])("the number %d is our code %s", (code, ours) => {
    expect(delegateFailure("x", bytes(JSON.stringify({ code, msg: "m" })), "").code).toBe(ours);
  });

  test.each([
    ['{"code":0,"msg":"m"}', "m"],
    ['{"code":11}', ""],
  ])("%s is a CNI error: it has a number or a message", (stdout, msg) => {
    const error = delegateFailure("x", bytes(stdout), "");
    expect(error).toBeInstanceOf(DelegateError);
    expect(error.message).toContain(msg);
  });

  test.each(["", "panic: x", "[]", "null", "{}", `{"code":"7","msg":"m"}`])(
    "%j is no CNI error: the message says how the process ended",
    (stdout) => {
      const error = delegateFailure("host-local", bytes(stdout), "exit status 2");
      expect(error).not.toBeInstanceOf(DelegateError);
      expect(error.code).toBe("decode-failure");
      expect(error.message).toContain("exit status 2");
    },
  );

  test.each([
    ["", "no CNI error: nothing"],
    [" ", 'no CNI error: " "'],
  ])("of the output %j the message says what it is", (stdout, words) => {
    expect(delegateFailure("x", bytes(stdout), "exit status 2").message).toContain(words);
  });

  test("a long output is cut", () => {
    const error = delegateFailure("x", bytes("y".repeat(1_000_000)), "exit status 2");
    expect(error.message.length).toBeLessThan(500);
  });
});
