/** Facts about the machine. */
import { readTextFile } from "../files/files.ts";

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
