/** The README's first command, and what it leaves behind: nothing. */
import { existsSync, readdirSync } from "node:fs";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab-plugins.ts";
import { tryCommand } from "../support/lab-process.ts";

jest.setTimeout(120_000);

const DEMO = [process.execPath, "--no-warnings", "tools/demo.ts"];

function traces(): unknown {
  const places = ["/run/fairlead", "/var/lib/fairlead", "/var/lib/cni", "/etc/cni", "/run/netns"];
  const links = readdirSync("/sys/class/net").filter((name) => name.startsWith("fl-"));
  return [places.filter(existsSync), links];
}

beforeAll(requireFairlead);

test("shows networks, names, isolation, a port and history, and leaves nothing", async () => {
  const before = traces();
  const { stdout, stderr, status } = await tryCommand([...DEMO, FAIRLEAD_DIRECTORY], { timeoutMs: 60_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("64 bytes from ins02.frontend");
  expect(stdout).toContain("ping: ins03: Name or service not known");
  expect(stdout).toContain("hello from web");
  expect(stdout).not.toContain("\x1b");
  expect(stdout).not.toContain("CNI_COMMAND");
  expect(traces()).toEqual(before);
});

test("--verbose shows what the plugins are asked and answer", async () => {
  const { stdout, status } = await tryCommand([...DEMO, FAIRLEAD_DIRECTORY, "--verbose"], {
    timeoutMs: 60_000,
  });
  expect(status).toBe(0);
  expect(stdout).toContain("CNI_COMMAND=ADD");
  expect(stdout).toContain('"sandbox":"/run/netns/byhand"');
});

test("says what went wrong, with what the daemon said", async () => {
  const { stderr, status } = await tryCommand([...DEMO, "/nowhere"], { timeoutMs: 60_000 });
  expect(status).toBe(1);
  expect(stderr).toContain("demo: ");
});
