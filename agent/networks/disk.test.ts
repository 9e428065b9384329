import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { diskProblems } from "./disk.ts";

const temporary = new TemporaryDirectory();
afterAll(() => temporary.remove());

test("a folder without room is a problem, and those that have some, or are not there, are none", async () => {
  // The kernel's own file system has room for nothing.
  const full = "/proc/self";
  expect(await diskProblems([temporary.file("none"), temporary.path, full])).toEqual([
    {
      severity: "error",
      object: full,
      message: `${full}: its file system has 0 KiB left; make room (df ${full})`,
    },
  ]);
});

test("what cannot be told of a folder is no room", async () => {
  await expect(diskProblems(["/proc/version/folder"])).rejects.toMatchObject({ code: "ENOTDIR" });
});
