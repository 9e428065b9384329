/**
 * One public 64-bit hash, from which names, MAC addresses and set keys are derived.
 *
 * The value for a text is part of what Fairlead promises: a link name or MAC that was derived yesterday must
 * be found again today, by another version and from another language. So the function is written down here
 * and never changes. It spreads, it does not protect: whoever chooses the text can find collisions.
 */

const encoder = new TextEncoder();

/**
 * FNV-1a, 64 bits, over the UTF-8 bytes of `text`, then the finalizer of MurmurHash3.
 *
 * FNV alone leaves its top bits nearly equal for texts that differ only at the end (container IDs of one
 * batch do); the finalizer makes every bit of the result depend on every bit of the text, so that any
 * slice of it is as good as another.
 *
 * Source: FNV-1a, RFC 9923 §2; `fmix64` of MurmurHash3 (Austin Appleby, public domain).
 */
export function hash64(text: string): bigint {
  const { high, low } = fnv1a(encoder.encode(text));
  let hash = (BigInt(high) << 32n) | BigInt(low);
  hash = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & MASK_64;
  hash = ((hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK_64;
  return hash ^ (hash >> 33n);
}

const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** The lower half of the prime 0x100000001b3, whose upper half is 2^8. */
const FNV_PRIME_LOW = 0x1b3;
const TWO_POW_32 = 0x1_0000_0000;

/**
 * In two halves of 32 bits: a BigInt for every byte would cost more than all else that a name is derived from.
 * With h = high·2^32 + low, h·(2^40 + 0x1b3) mod 2^64 = (high·0x1b3 + low·2^8 + carry)·2^32 + (low·0x1b3 mod 2^32).
 */
function fnv1a(bytes: Uint8Array): { readonly high: number; readonly low: number } {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (let at = 0; at < bytes.length; at++) {
    low = (low ^ (bytes[at] as number)) >>> 0;
    const product = low * FNV_PRIME_LOW;
    high = (high * FNV_PRIME_LOW + (low << 8) + Math.floor(product / TWO_POW_32)) >>> 0;
    low = product >>> 0;
  }
  return { high, low };
}

/**
 * The first `digits` hexadecimal digits, lower case, of {@link hash64}, counted from the most significant.
 *
 * @param digits 1 to 16; a RangeError otherwise.
 */
export function hashHex(text: string, digits: number): string {
  if (!Number.isInteger(digits) || digits < 1 || digits > 16) {
    throw new RangeError(`hashHex gives 1 to 16 digits, not ${digits}`);
  }
  return hash64(text).toString(16).padStart(16, "0").slice(0, digits);
}
