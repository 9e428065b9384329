/**
 * Bytes written by hand: two hexadecimal digits each, any white space between, `#` starts a comment that ends
 * with its line. Golden bytes are laid out four a line, with the name of what they are as the comment.
 */
export function hexBytes(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, "").replace(/\s+/g, "");
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) {
    throw new Error(`not pairs of hexadecimal digits: ${digits.slice(0, 80)}`);
  }
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
