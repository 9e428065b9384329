/**
 * The same commands with Docker 20.10 and with Fairlead, side by side: columns, keys, exit statuses, error texts.
 *
 * docs/docker-differences.md lists every difference with its reason. One that is not listed fails the test; one that is
 * listed, and is not there or not as it is described, fails it too.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import {
  type Answer,
  ASPECTS,
  type Aspect,
  compare,
  type Difference,
  type Side,
  type Step,
} from "../support/runtimes/docker-comparison.ts";
import { DockerEngine } from "../support/runtimes/docker-engine.ts";

jest.setTimeout(600_000);

const DOCUMENT = join(__dirname, "../../docs/docker-differences.md");

const labs: Lab[] = [];
let docker: DockerEngine;
let node: FairleadNode;

beforeAll(async () => {
  for (const name of ["docker", "dockerlike"]) labs.push(await Lab.open(name));
  const [forDocker, forFairlead] = labs as [Lab, Lab];
  docker = await DockerEngine.start(forDocker);
  await docker.importImage();
  node = await FairleadNode.start(forFairlead);
});

afterAll(async () => {
  for (const lab of labs) await lab.close();
});

function dockerSide(): Side {
  return {
    network: (args) => docker.try("network", ...args),
    networkId: async (name) => (await docker.run("network", "inspect", "-f", "{{.Id}}", name)).trim(),
    runContainer: (name, network) => docker.runContainer(name, network),
    removeContainer: (name) => docker.removeContainer(name),
    containerName: (name) => name,
    plain: (text) =>
      text.replace(/^(Error response from daemon|Error): /gm, "").replaceAll("docker network", "network"),
  };
}

function fairleadSide(): Side {
  return {
    network: (args) => node.try("network", ...args),
    networkId: async (name) => (await node.run("network", "inspect", "-f", "{{.Id}}", name)).trim(),
    runContainer: (name, network) => node.run("sandbox", "create", "--network", network, name),
    removeContainer: (name) => node.run("sandbox", "rm", name),
    // Sandboxes are namespaces of the whole machine.
    containerName: (name) => `${name}-${process.pid}`,
    plain: (text) => text.replace(/^fairlead: /gm, "").replaceAll("fairlead network", "network"),
  };
}

const NETWORK_COMMANDS: readonly Step[] = [
  // The command line itself.
  [],
  ["bogus"],
  ["create"],
  ["create", "a", "b"],
  ["create", "--bogus", "x"],
  ["create", "-z", "x"],
  ["create", "--subnet"],
  ["create", "-d"],
  ["create", "--internal=maybe", "x"],
  ["ls", "extra"],
  ["inspect"],
  ["rm"],
  ["connect", "frontend"],
  ["disconnect"],
  ["connect", "--link", "a:b:c", "frontend", "x"],

  // Before anything is made.
  ["ls"],
  ["list"],
  ["ls", "-q"],
  ["ls", "-f", "type=custom"],

  // Making networks.
  ["create", "frontend"],
  ["create", "frontend"],
  [
    "create",
    "--subnet",
    "10.61.0.0/24",
    "--label",
    "tier=back",
    "--label",
    "plain",
    "--internal=true",
    "backend",
  ],
  [
    "create",
    "--subnet",
    "10.62.0.0/24",
    "--ip-range",
    "10.62.0.128/25",
    "--gateway",
    "10.62.0.254",
    "--aux-address",
    "r1=10.62.0.200",
    "full",
  ],
  ["create", "--ipv6", "--subnet", "fd00:63::/64", "--subnet", "10.63.0.0/24", "six"],
  ["create", "--ipv6", "six2"],
  [
    "create",
    "-o",
    "com.docker.network.driver.mtu=1400",
    "-o",
    "com.docker.network.bridge.enable_icc=false",
    "--attachable",
    "net10",
  ],
  ["create", "--scope", "local", "net2"],
  ["create", "bridge"],
  ["create", "host"],
  ["create", "none"],
  ["create", "default"],
  ["create", ""],
  ["create", "bad name"],
  ["create", "-d", "host", "h2"],
  ["create", "-d", "null", "n2"],
  ["create", "-d", "overlay", "o2"],
  ["create", "-d", "nosuchdrv", "x"],
  ["create", "-o", "nosuchopt=1", "opts"],
  ["create", "--ipam-opt", "a=b", "ipamopts"],
  ["create", "--scope", "swarm", "x"],
  ["create", "--ingress", "x"],
  ["create", "--config-only", "conf"],
  ["create", "--subnet", "10.0.0.0/33", "x"],
  ["create", "--subnet", "10.65.0.1/24", "hostbits"],
  ["create", "--subnet", "10.61.0.0/16", "x"],
  ["create", "--gateway", "10.9.0.1", "x"],
  ["create", "--subnet", "10.9.0.0/24", "--gateway", "10.10.0.1", "x"],
  ["create", "--subnet", "10.9.0.0/24", "--gateway", "bogus", "x"],
  ["create", "--subnet", "10.9.0.0/24", "--ip-range", "10.10.0.0/24", "x"],
  ["create", "--subnet", "10.9.0.0/24", "--aux-address", "a=10.10.0.9", "x"],
  ["create", "--subnet", "10.9.0.0/24", "--subnet", "10.9.0.0/25", "x"],
  ["create", "--subnet", "10.9.0.0/24", "--subnet", "10.11.0.0/24", "two"],
  ["create", "--subnet", "10.13.0.0/24", "--gateway", "10.13.0.1", "--gateway", "10.13.0.2", "x"],

  // Showing them.
  ["@forget", "bad name", "conf", "hostbits", "ipamopts", "opts", "six2", "two"],
  ["ls"],
  ["ls", "-f", "name=net"],
  ["ls", "-f", "label=tier=back", "-f", "driver=bridge"],
  ["ls", "-f", "label=plain", "--format", '{{.Name}} {{.Internal}} {{.IPv6}} {{.Label "tier"}}'],
  ["ls", "-f", "driver=host", "--no-trunc"],
  ["ls", "-f", "driver=null", "--format", "{{.Labels}}|"],
  ["ls", "-f", "type=builtin", "-q"],
  ["ls", "-f", "scope=swarm"],
  ["ls", "-f", "dangling=false"],
  ["ls", "-f", "bogus=x"],
  ["ls", "-f", "bogus"],
  ["ls", "-f", "dangling=maybe"],
  ["ls", "-f", "type=odd"],
  ["ls", "-f", "name=full", "--format", "table {{.Name}}\\t{{.Driver}}\\t{{.CreatedAt}}"],
  ["ls", "-f", "name=full", "--format", "table"],
  ["ls", "-f", "name=full", "--format", "raw"],
  ["ls", "-f", "name=full", "--format", "{{json .}}"],
  ["ls", "-f", "name=full", "--format", "json"],
  [
    "ls",
    "-f",
    "name=full",
    "--format",
    '{{upper .Name}} {{len .Name}} {{join (split .Name "u") "-"}} {{title .Name}}|{{pad .Name 1 2}}|{{truncate .Name 3}}',
  ],
  ["ls", "--format", "{{.Bogus}}"],
  ["ls", "--format", "{{.ID"],
  ["ls", "--format", "{{nosuch .ID}}"],
  ["inspect", "frontend"],
  ["inspect", "backend", "full"],
  ["inspect", "six"],
  ["inspect", "net10"],
  ["inspect", "bridge"],
  ["inspect", "host"],
  ["inspect", "none"],
  ["inspect", "nosuch"],
  ["inspect", "full", "nosuch", "host"],
  ["inspect", "-f", "{{.Name}} {{.Driver}}", "%id:full", "host"],
  ["inspect", "-f", "{{.Options}} {{.Labels}} {{.Internal}} {{.Created}} {{.IPAM}}", "backend"],
  ["inspect", "-f", "{{json .IPAM}}", "full"],
  ["inspect", "-f", "{{(index .IPAM.Config 0).Gateway}} {{range $k, $v := .Labels}}{{$k}}{{end}}", "full"],
  ["inspect", "-f", "{{.Bogus}}", "full"],
  ["inspect", "-f", "{{.Name.Bogus}}", "full"],
  ["inspect", "-f", "{{index .IPAM.Config 7}}", "full"],
  ["inspect", "-f", "{{.Name", "full"],
  ["inspect", "-f", "{{if .Name}}", "full"],
  ["inspect", "-f", "{{.Name}}", "nosuch"],
];

const CONTAINER_COMMANDS: readonly Step[] = [
  ["@run", "ins01", "frontend"],
  ["connect", "frontend", "%ins01"],
  ["connect", "nosuch", "%ins01"],
  ["connect", "frontend", "nosuchc"],
  ["connect", "--ip", "10.9.9.9", "frontend", "%ins01"],
  ["connect", "--ip", "10.99.0.5", "full", "%ins01"],
  ["connect", "--ip", "10.62.0.130", "--alias", "db", "full", "%ins01"],
  ["inspect", "-f", "{{range .Containers}}{{.Name}} {{.IPv4Address}} [{{.IPv6Address}}]{{end}}", "full"],
  ["inspect", "full"],
  ["ls", "-f", "dangling=true", "-f", "name=full"],
  ["rm", "full"],
  ["connect", "host", "%ins01"],
  ["connect", "--alias", "x", "bridge", "%ins01"],
  ["disconnect", "backend", "%ins01"],
  ["disconnect", "nosuch", "%ins01"],
  ["disconnect", "full", "nosuchc"],
  ["disconnect", "-f", "full", "nosuchc"],
  ["disconnect", "full", "%ins01"],
  ["disconnect", "full", "%ins01"],
  ["@rm", "ins01"],
];

const REMOVAL_COMMANDS: readonly Step[] = [
  ["rm", "bridge"],
  ["rm", "nosuch"],
  ["rm", "frontend", "nosuch", "host", "backend"],
  ["remove", "six"],
  ["prune", "-f", "--filter", "bogus=x"],
  ["prune", "-f", "--filter", "until=bogus"],
  ["prune", "-f", "--filter", "until=24h"],
  ["prune", "-f", "--filter", "label=nosuch"],
  ["prune"],
];

test("Docker and Fairlead differ where docs/docker-differences.md says so, and nowhere else", async () => {
  const steps = [...NETWORK_COMMANDS, ...CONTAINER_COMMANDS, ...REMOVAL_COMMANDS];
  const found = await compare(steps, dockerSide(), fairleadSide());
  const rows = found.map(tableRow);
  const listed = readTable();
  const unlisted = rows.filter((row) => !listed.includes(row));
  const outdated = listed.filter((row) => !rows.includes(row));
  expect({ unlisted, outdated }).toEqual({ unlisted: [], outdated: [] });
});

/** A difference as a line of the table says it, without the reason. */
function tableRow({ command, docker: theirs, fairlead: ours }: Difference): string {
  const aspects = ASPECTS.filter((aspect) => theirs[aspect] !== ours[aspect]);
  const cellOf = (answer: Answer, other: Answer): string =>
    aspects
      .map((aspect) => said(aspect, answer[aspect], firstDifference(answer[aspect], other[aspect])))
      .join("; ");
  return [code(command), cellOf(theirs, ours), cellOf(ours, theirs)].join(" | ");
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** Of a long text as much as shows the difference. */
const MOST_CHARACTERS = 200;
const BEFORE = 40;

function said(aspect: Aspect, text: string, at: number): string {
  if (aspect === "status") return `exit ${text}`;
  if (text === "") return `no ${aspect}`;
  if (text.length <= MOST_CHARACTERS) return `${aspect} ${code(text)}`;
  const start = Math.max(0, at - BEFORE);
  const end = start + MOST_CHARACTERS;
  return `${aspect} ${code(`${start > 0 ? "…" : ""}${text.slice(start, end)}${end < text.length ? "…" : ""}`)}`;
}

/** Line breaks, bars, tabs and backticks are written so that the table stays one. */
function code(text: string): string {
  const safe = text
    .trim()
    .replaceAll("\n", "⏎")
    .replaceAll("|", "¦")
    .replaceAll("`", "´")
    .replaceAll("\t", "→");
  return `\`${safe.replace(/ +/g, " ")}\``;
}

/** Lines of the table that begins with "Command", without their reasons; a reason must be there. */
function readTable(): string[] {
  const lines = readFileSync(DOCUMENT, "utf8").split("\n");
  const start = lines.findIndex((line) => /^\| Command +\|/.test(line));
  const table = lines.slice(start + 2);
  const end = table.findIndex((line) => !line.startsWith("|"));
  return table.slice(0, end < 0 ? undefined : end).map((line) => {
    const cells = line.split("|").map((text) => text.trim());
    const reason = cells[4] ?? "";
    if (reason === "") throw new Error(`docs/docker-differences.md: no reason in the line of ${cells[1]}`);
    return cells.slice(1, 4).join(" | ");
  });
}
