import manifest from "../package.json" with { type: "json" };

/** Version of the program, by semantic versioning: the one place to change it is package.json. */
export const VERSION: string = manifest.version;
