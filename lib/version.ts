/** Which version of the program this is, and which build. */
import manifest from "../package.json" with { type: "json" };

/** Version of the program, by semantic versioning: the one place to change it is package.json. */
export const VERSION: string = manifest.version;

/** Set by the compiler, see build.sh. */
declare const FAIRLEAD_BUILD: string | undefined;

/** Tells executables apart that are not made from the same sources. */
export const BUILD: string = typeof FAIRLEAD_BUILD === "string" ? FAIRLEAD_BUILD : VERSION;
