/** Facts about the machine and this process. */
import { readTextFile } from "./files.ts";

/**
 * UUID that the kernel makes anew at every boot: two different ones mean that no process, link or network
 * namespace of the earlier boot exists any more. Source: Documentation/admin-guide/sysctl/kernel.rst, "random".
 */
export function bootId(): string {
  return readTextFile("/proc/sys/kernel/random/boot_id").trim();
}

/** Host name of this UTS namespace. */
export function hostname(): string {
  return readTextFile("/proc/sys/kernel/hostname").trim();
}

export function processId(): number {
  return process.pid;
}
