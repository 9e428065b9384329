/** What a network namespace alone ever had: its inode is used again for another one, as soon as it is gone. */
import { cString } from "../calls/c-string.ts";
import { listenerCalls } from "../calls/ffi.ts";

// Source: include/uapi/linux/fcntl.h; include/linux/exportfs.h (FILEID_NSFS).
const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
const FILEID_NSFS = 0xf1;
/** `struct file_handle`: u32 bytes, i32 type, then `struct nsfs_file_handle`: u64 ns_id, u32 ns_type, u32 ns_inum. */
const HANDLE = { bytes: 16, typeAt: 4, idAt: 8, total: 24 };

/**
 * The number that the kernel gave the namespace at `path`, and never gives to another until the next boot. Empty where there is none,
 * and on kernels that do not tell (before 6.18).
 *
 * Source: fs/nsfs.c, nsfs_encode_fh; name_to_handle_at(2).
 */
export function netnsCookie(path: string): string {
  const handle = new Uint8Array(HANDLE.total);
  const view = new DataView(handle.buffer);
  view.setUint32(0, HANDLE.bytes, true);
  const mountId = new Uint8Array(4);
  const calls = listenerCalls();
  if (calls.name_to_handle_at(AT_FDCWD, cString(path), handle, mountId, AT_SYMLINK_FOLLOW) < 0) return "";
  const isNamespace = view.getInt32(HANDLE.typeAt, true) === FILEID_NSFS;
  return isNamespace ? String(view.getBigUint64(HANDLE.idAt, true)) : "";
}
