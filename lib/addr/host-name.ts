/**
 * Names under which a container can be found: what may be recorded, and which of it a name server can serve.
 *
 * Docker's container names (`web_1`, `a.b`) are wider than RFC 1123 host names; underscores are served as they are.
 */

/** Longest label and longest name, in bytes. Source: RFC 1035 §2.3.4 (255 on the wire, 253 as text). */
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;

const LABEL = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?$/;

/** True for one label of a served name: letters, digits, `_`, and `-` inside. */
export function isHostLabel(text: string): boolean {
  return text.length <= LONGEST_LABEL && LABEL.test(text);
}

/** True for labels separated by single dots, without the final one. */
export function isHostName(text: string): boolean {
  return text.length <= LONGEST_NAME && text.split(".").every(isHostLabel);
}

/** What keeps a name from being recorded, or null. What no name server can serve may be recorded all the same. */
export function recordedNameProblem(name: string): string | null {
  if (name === "") return "it is empty";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are refused.
  if (/[\u0000-\u001f\u007f]/.test(name)) return "it has a control character in it";
  const bytes = new TextEncoder().encode(name).length;
  return bytes > LONGEST_NAME ? `it has ${bytes} bytes, at most ${LONGEST_NAME} are allowed` : null;
}

/** True for the full ID of a container as podman, Docker and CRI make them: no one calls a container by that. */
export function isFullContainerId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
