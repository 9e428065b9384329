/** What fails is told once, on one line of stderr, with the status that the manual states: for every command that asks the service. */
import { mkdirSync } from "node:fs";
import { run } from "../test/support/command-line.ts";
import { TemporaryDirectory } from "../test/support/ipam/ipam-fronts.ts";

const directory = new TemporaryDirectory();
const root = directory.file("node");
mkdirSync(root, { recursive: true });
afterAll(() => directory.remove());

const SOCKET = `${root}/absent.sock`;
const UNREACHABLE = 5;
/** Of `fairlead network`, as in Docker. */
const DOCKERS_FAILURE = 1;

test.each([
  [["ipam", "status"], UNREACHABLE],
  [["ipam", "networks"], UNREACHABLE],
  [["ipam", "leases"], UNREACHABLE],
  [["ipam", "leases", "--json"], UNREACHABLE],
  [["ipam", "leases", "--network", "web"], UNREACHABLE],
  [["ipam", "endpoints"], UNREACHABLE],
  [["ipam", "endpoints", "--json"], UNREACHABLE],
  [["ipam", "nodes"], UNREACHABLE],
  [["ipam", "history", "10.0.0.1"], UNREACHABLE],
  [["ipam", "check"], UNREACHABLE],
  [["ipam", "reserve", "web", "10.0.0.1"], UNREACHABLE],
  [["ipam", "unreserve", "web", "10.0.0.1"], UNREACHABLE],
  [["ipam", "quarantine", "10.0.0.1", "--reason", "doubt"], UNREACHABLE],
  [["ipam", "unquarantine", "10.0.0.1"], UNREACHABLE],
  [["ipam", "release", "10.0.0.1"], UNREACHABLE],
  [["network", "create", "web"], DOCKERS_FAILURE],
  [["network", "ls"], DOCKERS_FAILURE],
  [["network", "inspect", "web"], DOCKERS_FAILURE],
  [["network", "rm", "web"], DOCKERS_FAILURE],
  [["network", "prune", "-f"], DOCKERS_FAILURE],
])("%j: a service that does not run is told once, and what to start", async (argv, status) => {
  const { err, ...rest } = await run([...argv, "--socket", SOCKET]);
  expect([rest, err.split("\n").length]).toEqual([
    { status, out: argv.includes("inspect") ? "[]\n" : "" },
    2,
  ]);
  expect(err).toMatch(/^fairlead: .*fairlead server.*\n$/);
  expect(err.split(SOCKET).length).toBe(2);
  expect(err.match(/the service does not run/g)).toHaveLength(1);
});
