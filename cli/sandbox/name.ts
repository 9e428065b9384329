/** Which names a sandbox may have: Docker's rule for containers, as far as a file of that name can be made. */
import { WordedError } from "../base/worded-error.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** A file's name has 255 bytes (NAME_MAX), and the record of a sandbox ends in `.json`. */
const LONGEST = 250;

/** @throws WordedError `invalid-config` */
export function requireSandboxName(name: string): void {
  if (!NAME.test(name)) {
    throw new WordedError(
      "invalid-config",
      `Invalid container name (${name}), only ${NAME.source.slice(1, -1)} are allowed`,
    );
  }
  if (name.length > LONGEST) {
    throw new WordedError(
      "invalid-config",
      `Invalid container name: it has ${name.length} characters, at most ${LONGEST} are allowed`,
    );
  }
}
