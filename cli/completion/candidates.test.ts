import { OPTION } from "../../lib/ipam/network-options.ts";
import { TREE } from "../tree.ts";
import { complete } from "./candidates.ts";

const NAMES = { network: ["backend", "frontend"], sandbox: ["ins01"], container: ["ins01", "pod1"] } as const;

async function words(...line: string[]): Promise<string[]> {
  const found = await complete(TREE, line, async (kind) => NAMES[kind]);
  return found.kind === "words" ? found.words.map(({ text }) => text) : [`:${found.kind}`];
}

test("every command is offered, hidden ones are not", async () => {
  const all = await words("");
  const known = [
    "agent",
    "completion",
    "dev",
    "help",
    "ipam",
    "network",
    "purge",
    "sandbox",
    "server",
    "version",
  ];
  expect(all.sort()).toEqual(known);
});

test.each([
  [["net"], ["network"]],
  [
    ["network", "c"],
    ["connect", "create"],
  ],
  [["network", "nosuch", ""], []],
  [["nosuch", ""], []],
  [["help", "net"], ["network"]],
  [["help", "network", "l"], ["ls"]],
  [
    ["completion", ""],
    ["bash", "zsh", "fish"],
  ],
  [
    ["network", "rm", ""],
    ["backend", "frontend"],
  ],
  [["network", "rm", "backend", ""], ["frontend"]],
  [["network", "remove", "f"], ["frontend"]],
  [
    ["network", "connect", ""],
    ["backend", "frontend"],
  ],
  [
    ["network", "connect", "backend", ""],
    ["ins01", "pod1"],
  ],
  [["network", "connect", "backend", "ins01", ""], []],
  [
    ["network", "connect", "--alias", "", ""],
    ["backend", "frontend"],
  ],
  [["network", "connect", "--ali"], ["--alias"]],
  [["network", "connect", "--ip", "1", "--ip"], ["--ip6"]],
  [
    ["network", "create", "-d", ""],
    ["bridge", "macvlan"],
  ],
  [
    ["network", "create", "--driver="],
    ["--driver=bridge", "--driver=macvlan"],
  ],
  [["network", "create", "-dbridge", "x"], []],
  [
    ["network", "ls", "-qf", "d"],
    ["dangling=", "driver="],
  ],
  [["network", "ls", "--filter", "name=x", "--fi"], ["--filter"]],
  [["network", "ls", "--", "-"], []],
  [["network", "create", "--socket", ""], [":file"]],
  [["help", "--man", ""], []],
  [["server", "--config", "x"], [":file"]],
  [["sandbox", "exec", ""], ["ins01"]],
  [["sandbox", "exec", "ins01", ""], [":program"]],
  [["sandbox", "exec", "ins01", "ls", "-"], [":file"]],
  [["ipam", "leases", "--state", "c"], ["cooling"]],
])("%j", async (line, expected) => {
  expect(await words(...line)).toEqual(expected);
});

test("options of drivers are those that there are", async () => {
  const offered = await words("network", "create", "--opt", "");
  expect(offered.sort()).toEqual(
    Object.values(OPTION)
      .map((key) => `${key}=`)
      .sort(),
  );
});

test("hidden options are not offered, --help is", async () => {
  const offered = await words("network", "create", "-");
  expect(offered).not.toContain("--ingress");
  for (const option of ["--driver", "--internal", "--ipv6", "--label", "--opt", "--subnet"])
    expect(offered).toContain(option);
  expect(offered).toContain("--help");
});
