/**
 * The command line and the daemons without the plugins: `node cli/run.ts server …`, for Node 22.18 or newer.
 *
 * The executable's own entry is main.ts, which also holds the plugins; those need Bun.
 */
import { main } from "./main.ts";

process.exit(await main(process.argv.slice(2)));
