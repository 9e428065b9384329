/** Tells of names that are recorded, and that no name server can serve. */
import { isHostName } from "../../lib/addr/host-name.ts";
import type { Io } from "../base/io.ts";
import { warn } from "./network-follow.ts";

export async function warnOfUnserved(io: Io, names: readonly string[]): Promise<void> {
  for (const name of names.filter((text) => !isHostName(text)))
    await warn(
      io,
      `${JSON.stringify(name)} cannot be looked up: a name has labels of up to 63 letters, digits, '_' and '-', with '-' only inside`,
    );
}
