import { editDistance } from "./edit-distance.ts";

test.each([
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["a", "a", 0],
  ["listen", "lisen", 1],
  ["listen", "listten", 1],
  ["listen", "lsiten", 1],
  ["ab", "ba", 1],
  ["abcd", "badc", 2],
  // Of three letters that changed their places, no two are neighbours that were swapped.
  ["abc", "cab", 2],
])("%j and %j are %i apart", (from, to, expected) => {
  expect([editDistance(from, to), editDistance(to, from)]).toEqual([expected, expected]);
});
