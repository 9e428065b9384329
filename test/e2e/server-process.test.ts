import { join } from "node:path";
import { serverProcessContract } from "../contract/server-process.ts";

serverProcessContract("as it is packaged", [join(__dirname, "../../dist/bin/fairlead")]);
