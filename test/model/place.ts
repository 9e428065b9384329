/** Where the executables are that the histories run; FAIRLEAD_TEST_BIN names another folder, of an installed copy. */
import { resolve } from "node:path";

export const FAIRLEAD_DIRECTORY =
  process.env["FAIRLEAD_TEST_BIN"] ?? resolve(import.meta.dirname, "../../dist/bin");
