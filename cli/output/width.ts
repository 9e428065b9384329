/** How many columns of a terminal text takes, and text cut to so many. */

/** Nothing but what every terminal shows in one column each. */
const PLAIN = /^[\x20-\x7e]*$/;
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;
const MARK = /\p{M}/u;

/** The marker of what was cut. */
const CUT = "…";

/** Columns of text without control characters. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

function columnsOf(character: string): number {
  if (MARK.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The beginning of the text with `…` behind it, when it takes more than `width` columns. */
export function cutText(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let [kept, used] = ["", 0];
  for (const character of text) {
    used += columnsOf(character);
    if (used > width - 1) break;
    kept += character;
  }
  return kept + CUT;
}

/** As many of the words as fit, whole, then how many there are more: `10.1.0.0/24 +3`. The first is always there. */
export function cutItems(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const words = text.split(" ");
  for (let count = words.length - 1; count > 1; count -= 1) {
    const shorter = `${words.slice(0, count).join(" ")} +${words.length - count}`;
    if (widthOf(shorter) <= width) return shorter;
  }
  return words.length === 1 ? text : `${words[0]} +${words.length - 1}`;
}

/** Lines of at most `width` columns, broken between words; a word that is longer stays whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
