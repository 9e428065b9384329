import { formatSysctlKey, readSysctl, type SysctlKey } from "../files/sysctl.ts";
import { SyscallError } from "./errno.ts";

describe("SyscallError", () => {
  test("says operation, object, cause and what to do", () => {
    const error = new SyscallError({
      syscall: "open",
      object: "/run/x",
      errno: 2,
      hint: "start the service",
    });
    expect(error.message).toBe("open /run/x: No such file or directory (ENOENT); start the service");
    expect(error).toMatchObject({ code: "io-failure", syscall: "open", errno: 2, errnoName: "ENOENT" });
    expect(error.details).toEqual({ syscall: "open", errno: 2, errnoName: "ENOENT" });
  });

  test("names the call beside the operation", () => {
    const error = new SyscallError({
      syscall: "write",
      operation: "set sysctl",
      object: "net.x to 1",
      errno: 13,
    });
    expect(error.message).toBe("set sysctl net.x to 1: write: Permission denied (EACCES)");
    expect(error.code).toBe("permission-denied");
  });
});

describe("sysctl keys", () => {
  test("read as people write them", () => {
    expect(formatSysctlKey(["ipv4", "conf", "eth0", "arp_notify"])).toBe("net.ipv4.conf.eth0.arp_notify");
  });

  test.each<SysctlKey[]>([
    [["ipv4", "..", "..", "kernel"]],
    [["ipv4/../../kernel"]],
    [["."]],
    [["ipv4", ""]],
    [["a\0b"]],
  ])("%j cannot leave /proc/sys/net", (key) => {
    expect(() => readSysctl(key)).toThrow(expect.objectContaining({ code: "invalid-config" }));
  });
});
