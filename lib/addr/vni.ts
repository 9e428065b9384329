/** VXLAN network identifiers. */
import { parseError } from "./parse-error.ts";

/** Highest VNI: 24 bits. Source: RFC 7348 §5. */
const VNI_MAX = 0xff_ffff;

/** 0 is refused: Linux reports it for a device that has no VNI of its own (`external`). */
export function isVni(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= VNI_MAX;
}

/**
 * Parses a VNI in decimal, without leading zeros.
 *
 * @throws invalid-config
 */
export function parseVni(text: string): number {
  const value = /^[1-9][0-9]{0,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!isVni(value)) throw parseError("VNI", text, { reason: `it is not a number from 1 to ${VNI_MAX}` });
  return value;
}
