/** containerd through the Container Runtime Interface: what the kubelet does with a pod. */
import { isIPv6 } from "node:net";
import { HOST_IPV4, INTERNET_IPV4, INTERNET_IPV6, Lab, pingShellLine } from "../support/lab/lab.ts";
import type { Conflist } from "../support/lab/lab-conflist.ts";
import { leftovers } from "../support/lab/lab-leftovers.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  portmapOf,
  stageConflist,
  stagePlugins,
  TEST_SUBNETS,
} from "../support/lab/lab-plugins.ts";
import { tryCommand, waitUntil } from "../support/lab/lab-process.ts";
import { PAUSE_IMAGE, SERVE_FOREVER, WEB_PAGE } from "../support/runtimes/images.ts";
import { Containerd } from "../support/runtimes/runtimes-containerd.ts";
import { CriClient, type Pod, removePodCgroup } from "../support/runtimes/runtimes-cri.ts";

jest.setTimeout(120_000);

const NETWORK = "cri";
const BRIDGE = "flcri0";
const HOST_PORT = 18080;

let lab: Lab;
let plugins: PluginsUnderTest;
let cri: CriClient;
let first: Pod;
let second: Pod;

beforeAll(async () => {
  lab = await Lab.open("cri");
  lab.defer("remove the pods' cgroup", async () => removePodCgroup());
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const containerd = await Containerd.start(lab, {
    pluginFolder: stagePlugins(lab, plugins.cniPath),
    conflistFolder: stageConflist(lab, bridgeConflist(plugins, network())),
    pauseImage: PAUSE_IMAGE,
  });
  cri = new CriClient(containerd.socket);
  lab.defer("close the CRI client", async () => cri.close());
  lab.defer("remove every pod", removePods);
  expect(await waitUntil(() => cri.networkReady(), 10_000)).toBe(true);
  first = await runPod("pod-1", [{ containerPort: 80, hostPort: HOST_PORT }]);
  second = await runPod("pod-2");
});

afterAll(() => lab.close());

const network = () => ({
  name: NETWORK,
  bridge: BRIDGE,
  subnets: TEST_SUBNETS,
  chained: [portmapOf(plugins)],
});

function runPod(
  name: string,
  portMappings: readonly { containerPort: number; hostPort: number }[] = [],
): Promise<Pod> {
  const logFolder = lab.folder("logs", name);
  return cri.runPod({
    name,
    logFolder,
    portMappings,
    dnsServers: ["198.51.100.53"],
    shellLine: SERVE_FOREVER,
  });
}

async function removePods(): Promise<void> {
  for (const id of await cri.sandboxIds()) {
    await cri.call("StopPodSandbox", { pod_sandbox_id: id });
    await cri.call("RemovePodSandbox", { pod_sandbox_id: id });
  }
}

async function ping(pod: Pod, target: string): Promise<number> {
  return (await cri.exec(pod, "sh", "-c", pingShellLine(target))).status;
}

async function loadPage(netns: "host" | "internet", url: string): Promise<string> {
  return lab[netns](["timeout", "3", "busybox", "wget", "-qO-", url]);
}

test("each pod reports one address per family, and the IPAM holds exactly those", async () => {
  expect(first.addresses.map(isIPv6)).toEqual([false, true]);
  expect(second.addresses.map(isIPv6)).toEqual([false, true]);
  expect(await plugins.boundAddresses(NETWORK)).toEqual([...first.addresses, ...second.addresses].sort());
});

test("the pods ping each other over both families", async () => {
  for (const target of second.addresses) expect([target, await ping(first, target)]).toEqual([target, 0]);
  for (const target of first.addresses) expect([target, await ping(second, target)]).toEqual([target, 0]);
});

test("the pods reach the host, and the internet through masquerade", async () => {
  for (const target of [HOST_IPV4, INTERNET_IPV4, INTERNET_IPV6]) {
    expect([target, await ping(first, target)]).toEqual([target, 0]);
  }
});

test("a pod has the DNS server that the kubelet chose", async () => {
  expect((await cri.exec(first, "cat", "/etc/resolv.conf")).output).toContain("nameserver 198.51.100.53");
});

test("the host port leads to the pod, from the host, from outside, from the other pod and from itself", async () => {
  expect(await loadPage("host", `http://127.0.0.1:${HOST_PORT}/`)).toBe(WEB_PAGE);
  expect(await loadPage("internet", `http://${HOST_IPV4}:${HOST_PORT}/`)).toBe(WEB_PAGE);
  for (const pod of [first, second]) {
    const page = await cri.exec(pod, "timeout", "3", "wget", "-qO-", `http://${HOST_IPV4}:${HOST_PORT}/`);
    expect(page).toEqual({ status: 0, output: WEB_PAGE });
  }
});

test("a second pod that wants the same host port is refused, and named the first", async () => {
  if (plugins.name === "reference") return;
  const refused = runPod("pod-3", [{ containerPort: 80, hostPort: HOST_PORT }]);
  await expect(refused).rejects.toThrow(
    `container ${first.sandboxId} (interface eth0, network ${NETWORK}) has`,
  );
  expect(await loadPage("host", `http://127.0.0.1:${HOST_PORT}/`)).toBe(WEB_PAGE);
});

test("a pod whose conflist has lost its keys since is removed, with its port and its address", async () => {
  if (plugins.name === "reference") return;
  const pod = await runPod("pod-4", [{ containerPort: 80, hostPort: HOST_PORT + 1 }]);
  const whole = bridgeConflist(plugins, { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS });
  const { ipam, ...bridge } = whole.plugins[0] ?? { type: "" };
  const changed = { ...bridge, mtu: "wide", ipam: { ...(ipam as object), type: "gone-since", routes: [{}] } };
  await useConflist({ ...whole, plugins: [changed] }, "gone-since");
  await cri.removeContainer(pod);
  await cri.call("StopPodSandbox", { pod_sandbox_id: pod.sandboxId });
  await cri.call("RemovePodSandbox", { pod_sandbox_id: pod.sandboxId });
  expect(await plugins.boundAddresses(NETWORK)).toEqual([...first.addresses, ...second.addresses].sort());
  expect(await lab.host(["nft", "list", "ruleset"])).not.toContain(pod.sandboxId);
  await useConflist(bridgeConflist(plugins, network()), "portMappings");
});

/** Replaces the conflist, and waits until containerd has read it: until the text is in what it goes by. */
async function useConflist(conflist: Conflist, marker: string): Promise<void> {
  stageConflist(lab, conflist);
  const isRead = async () => JSON.stringify(await cri.call("Status", { verbose: true })).includes(marker);
  expect(await waitUntil(isRead, 10_000)).toBe(true);
}

test("StopPodSandbox twice and RemovePodSandbox leave nothing", async () => {
  for (const pod of [first, second]) {
    await cri.removeContainer(pod);
    await cri.call("StopPodSandbox", { pod_sandbox_id: pod.sandboxId });
    await cri.call("StopPodSandbox", { pod_sandbox_id: pod.sandboxId });
    await cri.call("RemovePodSandbox", { pod_sandbox_id: pod.sandboxId });
  }
  expect(await cri.sandboxIds()).toEqual([]);
  const addresses = [...first.addresses, ...second.addresses];
  const containerIds = [first.sandboxId, second.sandboxId];
  const gone = { networkName: NETWORK, bridges: [BRIDGE], addresses, containerIds };
  expect(await leftovers(lab, plugins, gone)).toEqual([]);
  const page = await tryCommand(
    lab.inHost("timeout", "3", "busybox", "wget", "-qO-", `http://127.0.0.1:${HOST_PORT}/`),
  );
  expect(page.status).not.toBe(0);
});
