/** 150,000 leases through every door of a real service: all of them by every command, and no more than is read. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Endpoint, Lease, Tenancy } from "../../lib/ipam/api.ts";
import { createGrpcClient } from "../../lib/rpc/grpc-client.ts";
import { joinPieces } from "../../lib/rpc/pieces.ts";
import { ServerLab, type ServerProcess } from "../support/ipam/ipam-server-process.ts";
import { MANY_NETWORK, writeManyLeases } from "../support/ipam/many-leases.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";

jest.setTimeout(300_000);

const LEASES = 150_000;
/** Ended stays of the first address: more than a page of events. */
const STAYS = 1_000;
const FIRST = "10.128.0.2";

let lab: ServerLab;
let server: ServerProcess;
let grpcSocket: string;

beforeAll(async () => {
  lab = new ServerLab((directory) => ({
    predefinedNetworks: false,
    // The events that are written are of 2023.
    history: { keep: { days: 36_500 } },
    grpc: { listen: `unix:${join(directory, "grpc")}` },
  }));
  grpcSocket = join(lab.directory, "grpc");
  await writeManyLeases({ path: join(lab.directory, "state/ipam.db"), leases: LEASES, stays: STAYS });
  server = await lab.start();
});

afterAll(async () => {
  await server?.end("SIGTERM");
  lab.remove();
});

function run(...words: readonly string[]) {
  const argv = [...words, "--socket", lab.socket];
  return spawn(join(FAIRLEAD_DIRECTORY, "fairlead"), argv, { stdio: ["ignore", "pipe", "inherit"] });
}

/** What a command prints, line by line; it must succeed. */
async function linesOf(...words: readonly string[]): Promise<string[]> {
  const child = run(...words);
  const ended = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  expect(await ended).toEqual([0, null]);
  return lines;
}

const jsonOf = async (...words: readonly string[]): Promise<unknown> =>
  JSON.parse((await linesOf(...words, "--json")).join("\n"));

/** Addresses of the network, from the first, without prefix lengths. */
function expectAll(addresses: readonly string[]): void {
  expect(addresses.length).toBe(LEASES);
  expect(new Set(addresses).size).toBe(LEASES);
  expect([addresses[0], addresses[255], addresses.at(-1)]).toEqual([FIRST, "10.128.1.1", "10.130.73.241"]);
}

test("ipam leases lists every one, as a table and as one JSON document", async () => {
  const [headings, ...rows] = await linesOf("ipam", "leases");
  expect(headings).toMatch(/^ADDRESS +NETWORK +STATE +NAMES +CONTAINER /);
  expectAll(rows.map((row) => row.split(" ")[0] ?? ""));
  const { leases } = (await jsonOf("ipam", "leases")) as { leases: Lease[] };
  expectAll(leases.map(({ address }) => address));
});

test("ipam endpoints lists every one, as a table and as one JSON document", async () => {
  expect((await linesOf("ipam", "endpoints")).length).toBe(LEASES + 1);
  const { endpoints } = (await jsonOf("ipam", "endpoints", "--network", MANY_NETWORK)) as {
    endpoints: Endpoint[];
  };
  expectAll(endpoints.map(({ addresses }) => addresses[0]?.address.split("/")[0] ?? ""));
});

test("a filter that one lease in 150,000 passes finds it", async () => {
  const { leases } = (await jsonOf("ipam", "leases", "--name", "container-149999")) as { leases: Lease[] };
  expect(leases.map(({ address }) => address)).toEqual(["10.130.73.241"]);
});

test("ipam history lists every stay, and names the holders that are known", async () => {
  const { tenancies } = (await jsonOf("ipam", "history", FIRST)) as {
    tenancies: (Tenancy & { names: string[] })[];
  };
  expect(tenancies.length).toBe(STAYS + 1);
  expect(tenancies.map(({ containerId }) => containerId).slice(0, 2)).toEqual(["before-0", "before-1"]);
  expect(tenancies.filter(({ names }) => names.length > 0)).toEqual([
    expect.objectContaining({ to: null, names: ["container-0"] }),
  ]);
});

test("ipam check looks at all, and finds nothing", async () => {
  expect(await jsonOf("ipam", "check")).toMatchObject({ leases: LEASES, findings: [] });
});

test("metrics and info count all", async () => {
  expect(await server.call("GET", "/v1/info")).toMatchObject({ leases: { bound: LEASES } });
  expect(await jsonOf("ipam", "status")).toMatchObject({ networks: [{ pools: [{ bound: LEASES }] }] });
});

test("gRPC lists every one", async () => {
  const client = createGrpcClient({ target: `unix:${grpcSocket}` });
  try {
    expectAll((await joinPieces(client.streamLeases({}))).map(({ address }) => address));
    expect((await client.listEndpoints({})).length).toBe(LEASES);
  } finally {
    client.close();
  }
});

test.each(["leases", "endpoints"])(
  "whoever reads no further than the first lines of ipam %s ends it, as a success",
  async (list) => {
    const child = run("ipam", list);
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    child.stdout.destroy();
    expect(await ended).toEqual([0, null]);
  },
);

test("an address is granted while a list is read, which does not have it", async () => {
  const client = createGrpcClient({ target: `unix:${grpcSocket}` });
  try {
    const pieces = client.streamLeases({})[Symbol.asyncIterator]();
    const first = await pieces.next();
    const key = { networkName: MANY_NETWORK, containerId: "late", ifname: "eth0" };
    await server.call("POST", "/v1/attachments/acquire", { key });
    const rest = await joinPieces({ [Symbol.asyncIterator]: () => pieces });
    expectAll([...(first.value as readonly Lease[]), ...rest].map(({ address }) => address));
  } finally {
    await server.call("POST", "/v1/attachments/release", {
      key: { networkName: MANY_NETWORK, containerId: "late", ifname: "eth0" },
    });
    client.close();
  }
});
