import { join } from "node:path";
import { serverProcessContract } from "./server-process.ts";

const root = join(__dirname, "../..");

serverProcessContract("on Node", [process.execPath, "--no-warnings", join(root, "cli", "run.ts")]);
serverProcessContract("on Bun", [join(root, "node_modules/.bin/bun"), join(root, "main.ts")]);
