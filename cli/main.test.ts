import { writeFileSync } from "node:fs";
import { run } from "../test/support/command-line.ts";
import { TemporaryDirectory } from "../test/support/ipam/ipam-fronts.ts";

describe("usage", () => {
  test("no command shows the help", async () => {
    const { status, out, err } = await run([]);
    expect([status, err]).toEqual([0, ""]);
    expect(out).toContain("fairlead ipam history 10.77.0.5");
    expect(out).toContain("Exit status");
  });

  test.each([
    [["help", "ipam", "leases"], "--state state"],
    [["ipam", "history", "--help"], 'fairlead ipam history 10.77.0.5 --at "2026-01-27 12:30"'],
    [["server", "--help"], "SIGTERM"],
    [["dev", "--help"], "--state-dir"],
    [["ipam", "check", "-h"], "There is an error among the findings."],
    [["network", "connect", "--help"], "--gw-priority int"],
  ])("%j helps with an example", async (argv, part) => {
    const { status, out } = await run(argv);
    expect(status).toBe(0);
    expect(out).toContain(part);
    expect(out).toMatch(/\nExamples:\n {2}\S.*:\n {4}fairlead /);
  });

  test("help keeps to the width of the terminal", async () => {
    const { out } = await run(["ipam", "leases", "--help"], 80);
    const [options = ""] = out.split("\nExamples");
    expect(Math.max(...options.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test.each([
    [["nope"], "unknown command: nope\nSee 'fairlead --help'."],
    [["--nope"], "unknown flag: --nope\nSee 'fairlead --help'."],
    [["ipam", "lease"], "unknown command: ipam lease; did you mean leases?\nSee 'fairlead ipam --help'."],
    [["ipam", "leases", "--nod", "x"], "unknown flag: --nod; did you mean --node?"],
    [
      ["ipam", "leases", "--state", "lost"],
      'invalid argument "lost" for "--state" flag: it is one of bound, cooling',
    ],
    [["ipam", "history"], '"fairlead ipam history" requires exactly 1 argument.'],
    [["ipam", "check", "extra"], '"fairlead ipam check" accepts no arguments.'],
  ])("%j is refused on stderr, with status 2", async (argv, text) => {
    const { status, out, err } = await run(argv);
    expect([status, out]).toEqual([2, ""]);
    expect(err).toContain(`fairlead: ${text}`);
    expect(err).toMatch(/^fairlead: .*\nSee 'fairlead.* --help'\.\n/);
  });

  test("a group without a command shows its commands on stderr", async () => {
    const { status, out, err } = await run(["ipam"]);
    expect([status, out]).toEqual([2, ""]);
    expect(err).toContain("status");
  });

  test("a service that does not run: what to start, and status 5", async () => {
    const { status, err } = await run(["ipam", "status", "--socket", "/nonexistent/f.sock"]);
    expect(status).toBe(5);
    expect(err).toMatch(
      /^fairlead: read service info \/nonexistent\/f.sock: .*; start it with `fairlead server`/,
    );
  });
});

describe("version", () => {
  test("for people and for programs", async () => {
    expect((await run(["version"])).out).toMatch(/^fairlead \d+\.\d+\.\d+ \(node [\d.]+, linux \w+\)\n$/);
    expect(JSON.parse((await run(["version", "--json"])).out)).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      runtime: expect.stringMatching(/^node /),
      platform: expect.stringMatching(/^linux /),
    });
  });
});

describe("server", () => {
  const directory = new TemporaryDirectory();
  afterAll(() => directory.remove());

  test("a configuration can be checked", async () => {
    const file = directory.file("good.yaml");
    writeFileSync(file, "coolingSeconds: 5\n");
    expect(await run(["server", "--config", file, "--check"])).toEqual({
      status: 0,
      out: `${file} is valid\n`,
      err: "",
    });
  });

  test("what is wrong with it is told, all of it", async () => {
    const file = directory.file("bad.yaml");
    writeFileSync(file, "sockt: /a\ncoolingSeconds: soon\n");
    const { status, err } = await run(["server", "--config", file]);
    expect(status).toBe(2);
    expect(err).toContain(`fairlead: read configuration ${file}: 2 problems:`);
    expect(err).toContain('line 1: sockt: unknown key; did you mean "socket"?');
    expect(err).toContain("line 2: coolingSeconds: ");
  });

  test("a file that is not there is named", async () => {
    const { status, err } = await run(["server", "--config", "/nonexistent.yaml"]);
    expect([status, err]).toEqual([
      4,
      expect.stringContaining("read configuration /nonexistent.yaml: there is no such file"),
    ]);
  });

  test("every key can be looked up", async () => {
    const { status, out } = await run(["server", "--help-config"]);
    expect(status).toBe(0);
    for (const key of ["socket", "http.listen", "log.level", "defaultPools"])
      expect(out).toMatch(new RegExp(`^${key} `, "m"));
  });

  test("a flag that makes no sense is refused", async () => {
    const { status, err } = await run(["dev", "--socket", `/${"x".repeat(200)}`]);
    expect(status).toBe(2);
    expect(err).toContain("socket: the path has 201 bytes");
  });
});
