import { NodeNetlink } from "./node-netlink.ts";

test("what of the host's settings could not be had is said once, however often it is tried", () => {
  const said: string[] = [];
  const host = new NodeNetlink("test", (message) => void said.push(message));
  for (const message of ["no forwarding", "no forwarding", "no IPv6", "no forwarding"]) host.log(message);
  expect(said).toEqual(["no forwarding", "no IPv6"]);
});
