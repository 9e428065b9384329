import { join } from "node:path";
import { serverProcessContract } from "./server-process.ts";

const root = join(__dirname, "../..");

// The server asks the kernel for its routes.
const door = ["--experimental-ffi", "--import", join(root, "test/support/register-no-bun-ffi.ts")];
serverProcessContract("on Node", [process.execPath, "--no-warnings", ...door, join(root, "cli/run.ts")]);
serverProcessContract("on Bun", [join(root, "node_modules/.bin/bun"), join(root, "main.ts")]);
