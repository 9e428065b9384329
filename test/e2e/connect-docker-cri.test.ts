/** Containers of Docker, and pods of the CRI, on one network made by the command line. */

import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab, pingShellLine } from "../support/lab/lab.ts";
import { waitUntil } from "../support/lab/lab-process.ts";
import { DockerEngine } from "../support/runtimes/docker-engine.ts";
import { PAUSE_IMAGE, SERVE_FOREVER } from "../support/runtimes/images.ts";
import { Containerd } from "../support/runtimes/runtimes-containerd.ts";
import { CriClient, type Pod, removePodCgroup } from "../support/runtimes/runtimes-cri.ts";

jest.setTimeout(180_000);

const NETWORK = "shared";

let lab: Lab;
let node: FairleadNode;
let docker: DockerEngine;
let cri: CriClient;
let pod: Pod;

beforeAll(async () => {
  lab = await Lab.open("docri");
  lab.defer("remove the pods' cgroup", async () => removePodCgroup());
  node = await FairleadNode.start(lab);
  await node.run("network", "create", NETWORK);
  docker = await DockerEngine.start(lab);
  node.useDocker(docker.socket);
  await docker.importImage();
  for (const [name, network] of [
    ["plain", "bridge"],
    ["lonely", "none"],
    ["hostly", "host"],
  ] as const)
    await docker.runContainer(name, network);
  lab.defer("remove the containers", () => docker.try("rm", "-f", "plain", "lonely", "hostly"));
  const containerd = await Containerd.start(lab, {
    pluginFolder: node.pluginFolder,
    conflistFolder: node.conflistFolder,
    pauseImage: PAUSE_IMAGE,
  });
  node.useContainerd(containerd.socket);
  cri = new CriClient(containerd.socket);
  lab.defer("close the CRI client", async () => cri.close());
  lab.defer("remove every pod", removePods);
  expect(await waitUntil(() => cri.networkReady(), 10_000)).toBe(true);
  pod = await cri.runPod({ name: "kubepod", logFolder: lab.folder("logs"), shellLine: SERVE_FOREVER });
});

afterAll(() => lab.close());

async function removePods(): Promise<void> {
  for (const id of await cri.sandboxIds()) {
    await cri.call("StopPodSandbox", { pod_sandbox_id: id });
    await cri.call("RemovePodSandbox", { pod_sandbox_id: id });
  }
}

interface NetworkContainers {
  readonly Containers: Readonly<Record<string, { readonly Name: string; readonly IPv4Address: string }>>;
}

/** Container ID and address by name, of those on the network. */
async function members(): Promise<Map<string, { id: string; address: string }>> {
  const [found] = JSON.parse(await node.run("network", "inspect", NETWORK)) as NetworkContainers[];
  return new Map(
    Object.entries(found?.Containers ?? {}).map(([id, { Name, IPv4Address }]) => [
      Name,
      { id, address: IPv4Address.replace(/\/\d+$/, "") },
    ]),
  );
}

test("the pod is on the network bridge, as the runtime's default", () => {
  expect(pod.addresses).toHaveLength(1);
});

test("a Docker container and a pod, connected by name, reach each other", async () => {
  await node.run("network", "connect", NETWORK, "plain");
  await node.run("network", "connect", NETWORK, "kubepod");
  const on = await members();
  expect(on.get("kubepod")?.id).toBe(pod.sandboxId);
  expect(on.get("plain")?.id).toBe((await docker.run("inspect", "-f", "{{.Id}}", "plain")).trim());
  const line = pingShellLine(on.get("kubepod")?.address ?? "none");
  expect((await docker.try("exec", "plain", "sh", "-c", line)).status).toBe(0);
  const back = pingShellLine(on.get("plain")?.address ?? "none");
  expect((await cri.exec(pod, "sh", "-c", back)).status).toBe(0);
});

test("a pod is meant by its namespace and name, by its container, and by the IDs of both", async () => {
  for (const reference of [
    "fairlead-test/kubepod",
    "main",
    pod.containerId,
    pod.containerId.slice(0, 12),
    pod.sandboxId.slice(0, 12),
  ]) {
    const again = await node.try("network", "connect", NETWORK, reference);
    expect([reference, again.stderr]).toEqual([
      reference,
      `fairlead: endpoint with name kubepod already exists in network ${NETWORK}\n`,
    ]);
  }
});

test("Docker's rules about none and host hold for its own containers", async () => {
  const lonely = await node.try("network", "connect", NETWORK, "lonely");
  expect(lonely.stderr).toContain("one of the networks in private (none) mode");
  const hostly = await node.try("network", "connect", NETWORK, "hostly");
  expect(hostly.stderr).toContain("cannot be connected to any other network");
});

test("disconnect, by name and by ID", async () => {
  await node.run("network", "disconnect", NETWORK, "plain");
  await node.run("network", "disconnect", NETWORK, pod.sandboxId);
  expect([...(await members()).keys()]).toEqual([]);
  expect(await docker.run("exec", "plain", "ip", "-o", "link")).not.toContain("eth1");
});

test("a Docker container that ends gives its address back by itself", async () => {
  await node.run("network", "connect", NETWORK, "plain");
  await docker.removeContainer("plain");
  expect(await waitUntil(async () => (await members()).size === 0, 20_000)).toBe(true);
});

test("a pod keeps what it was connected to until it is removed, then gives it back", async () => {
  await node.run("network", "connect", NETWORK, "kubepod");
  expect((await members()).size).toBe(1);
  await removePods();
  expect(await waitUntil(async () => (await members()).size === 0, 20_000)).toBe(true);
});
