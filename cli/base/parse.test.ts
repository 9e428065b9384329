import { HelpWanted, parseCommandLine, UsageError } from "./parse.ts";
import { defineCommand } from "./spec.ts";

const command = defineCommand({
  name: "make",
  summary: "Make it",
  arguments: [{ name: "THING" }, { name: "MORE", optional: true, several: true }],
  options: {
    quiet: { kind: "switch", short: "q", description: "" },
    loud: { kind: "switch", short: "l", description: "" },
    name: { kind: "text", short: "n", description: "" },
    mode: { kind: "text", fallback: "soft", choices: ["soft", "hard"], description: "" },
    level: { kind: "integer", description: "" },
    part: { kind: "list", commas: true, description: "" },
    tag: { kind: "list", short: "t", description: "" },
    opt: { kind: "map", short: "o", description: "" },
  },
  manual: { description: "", examples: [] },
  run: async () => 0,
});

const nothing = {
  quiet: false,
  loud: false,
  name: undefined,
  mode: "soft",
  level: undefined,
  part: [],
  tag: [],
  opt: {},
};

function parse(...argv: string[]) {
  return parseCommandLine(command, argv, "fairlead make");
}

describe("options", () => {
  test("a switch that is on by itself is switched off", () => {
    const spec = {
      name: "x",
      summary: "",
      arguments: [],
      options: { ipv4: { kind: "switch", fallback: true, description: "" } },
      manual: { description: "", examples: [] },
      run: async () => 0,
    } as const;
    const read = (...argv: string[]) => parseCommandLine(spec, argv, "x").options["ipv4"];
    expect([read(), read("--ipv4"), read("--ipv4=false")]).toEqual([true, true, false]);
  });

  test("absent ones have their defaults", () => {
    expect(parse("x")).toEqual({ args: ["x"], options: nothing });
  });

  test.each([
    [["--name", "a", "x"], { name: "a" }],
    [["--name=a", "x"], { name: "a" }],
    [["--name=", "x"], { name: "" }],
    [["--name", "--quiet", "x"], { name: "--quiet" }],
    [["-n", "a", "x"], { name: "a" }],
    [["-na", "x"], { name: "a" }],
    [["-n=a", "x"], { name: "a" }],
    [["-qn", "a", "x"], { quiet: true, name: "a" }],
    [["-ql", "x"], { quiet: true, loud: true }],
    [["-q=false", "x"], {}],
    [["--quiet=T", "x"], { quiet: true }],
    [["--quiet", "--quiet=0", "x"], {}],
    [["--name", "a", "--name", "b", "x"], { name: "b" }],
    [["--level", "-5", "x"], { level: -5 }],
    [["--part", "a,b", "--part=c", "x"], { part: ["a", "b", "c"] }],
    [["-t", "a,b", "x", "--tag", "c"], { tag: ["a,b", "c"] }],
    [["-o", "a=b=c", "--opt", "d", "--opt", "e=", "x"], { opt: { a: "b=c", d: "", e: "" } }],
    [["-o", "__proto__=x", "x"], { opt: Object.fromEntries([["__proto__", "x"]]) }],
  ])("%j", (argv, expected) => {
    expect(parse(...argv)).toEqual({ args: ["x"], options: { ...nothing, ...expected } });
  });

  test.each([
    [["--nam", "x"], "unknown flag: --nam; did you mean --name?"],
    [["--toString"], "unknown flag: --toString"],
    [["-z"], "unknown shorthand flag: 'z' in -z"],
    [["-qz"], "unknown shorthand flag: 'z' in -qz"],
    [["--name"], "flag needs an argument: --name"],
    [["-qn"], "flag needs an argument: 'n' in -qn"],
    [
      ["--quiet=maybe"],
      'invalid argument "maybe" for "-q, --quiet" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ["--level", "1.5"],
      'invalid argument "1.5" for "--level" flag: strconv.ParseInt: parsing "1.5": invalid syntax',
    ],
    [["--mode", "no"], 'invalid argument "no" for "--mode" flag: it is one of soft, hard'],
  ])("%j is refused", (argv, message) => {
    expect(() => parse(...argv)).toThrow(new UsageError("option", message));
  });
});

describe("arguments", () => {
  test.each([
    [
      ["a", "--quiet", "b", "-", "c"],
      ["a", "b", "-", "c"],
    ],
    [
      ["a", "--", "--quiet", "-n"],
      ["a", "--quiet", "-n"],
    ],
  ])("%j", (argv, args) => {
    expect(parse(...argv).args).toEqual(args);
  });

  test("too few", () => {
    expect(() => parse()).toThrow('"fairlead make" requires at least 1 argument.');
  });

  test("a command line of somebody else is left alone", () => {
    const exec = defineCommand({ ...command, passThrough: true });
    const { args, options } = parseCommandLine(exec, ["-q", "box", "ls", "-l", "--help"], "fairlead exec");
    expect([args, options["quiet"]]).toEqual([["box", "ls", "-l", "--help"], true]);
  });

  test.each([[["--help"]], [["x", "-h"]], [["-qh"]]])("%j asks for help", (argv) => {
    expect(() => parse(...argv)).toThrow(HelpWanted);
  });
});
