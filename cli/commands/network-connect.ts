/** What `fairlead network connect` does. */

import { formatResult } from "../../lib/cni/result.ts";
import { NEWEST_CNI_VERSION } from "../../lib/cni/versions.ts";
import type { AddOutcome } from "../../lib/runtime/network-runtime.ts";
import type { Io } from "../base/io.ts";
import { WordedError } from "../base/worded-error.ts";
import type { Container } from "../containers/container.ts";
import { netnsContainer, processContainer } from "../containers/process.ts";
import { resolveContainer } from "../containers/resolve.ts";
import { attach, attachWith, namesOf, requireConnectable, requireRunning } from "../node/attach.ts";
import { PREDEFINED_BRIDGE } from "../node/links.ts";
import { type Node, openNode } from "../node/node.ts";
import { pathsOf } from "../node/options.ts";
import type { AttachmentWishes } from "../node/wishes.ts";
import { formatJson } from "../output/json.ts";
import { refreshSandbox } from "../sandbox/refresh.ts";
import { containerSources } from "./container-sources.ts";
import { followNames } from "./network-follow.ts";
import type { ConnectInput, DisconnectInput } from "./network-options.ts";
import { warnOfUnserved } from "./unserved-names.ts";

/** The options that say which network and which container. */
type TargetOptions = Pick<DisconnectInput["options"], "device" | "netns" | "pid">;

export async function runConnect({ args, options }: ConnectInput, io: Io): Promise<number> {
  const { json } = options;
  const node = openNode(pathsOf(options));
  const { network, container } = await targetsOf(node, { args, options });
  refuseUnserved(options);
  const outcome =
    network === null
      ? await connectDevice(node, container, options)
      : attach(node, container, { reference: network, wishes: wishesOf(options), ...ifnameOf(options) });
  refreshSandbox(node, container);
  await followNames(io, node.paths.socket);
  if (network !== null && network !== PREDEFINED_BRIDGE)
    await warnOfUnserved(io, namesOf(container, options.alias));
  if (json)
    await io.out(
      formatJson({ containerId: container.id, result: formatResult(outcome.result, NEWEST_CNI_VERSION) }),
    );
  return 0;
}

/** What the arguments and options name: a network (null with `--device`) and a container. */
export async function targetsOf(
  node: Node,
  { args, options }: Pick<ConnectInput, "args"> & { readonly options: TargetOptions },
): Promise<{ network: string | null; container: Container }> {
  const { network, name } = argumentsOf({ args, options });
  return { network, container: name === null ? unnamedContainer(options) : await named(node, name) };
}

/** The arguments by what they are; null for what an option stands for. */
export function argumentsOf({
  args,
  options,
}: Pick<ConnectInput, "args"> & { readonly options: TargetOptions }): {
  network: string | null;
  name: string | null;
} {
  const rest = [...args];
  const network = options.device === undefined ? (rest.shift() ?? "") : null;
  const isNamed = options.netns === undefined && options.pid === undefined;
  return { network, name: isNamed ? (rest.shift() ?? "") : null };
}

function named(node: Node, name: string): Promise<Container> {
  return resolveContainer(name, containerSources(node.paths));
}

export function unnamedContainer({ netns, pid }: TargetOptions): Container {
  if (netns !== undefined && pid !== undefined)
    throw new WordedError(
      "invalid-config",
      "conflicting options: --netns and --pid name the same thing; give one",
    );
  return netns !== undefined ? netnsContainer(netns) : processContainer(pid ?? 0);
}

function refuseUnserved(options: ConnectInput["options"]): void {
  if (options["link-local-ip"].length > 0)
    throw new WordedError("unsupported-field", "link-local addresses are not supported");
  const [option] = Object.keys(options["driver-opt"]);
  if (option !== undefined)
    throw new WordedError("unsupported-field", `driver option ${option} is not known for an attachment`);
}

function ifnameOf({ ifname }: ConnectInput["options"]): { ifname?: string } {
  return ifname === undefined ? {} : { ifname };
}

function wishesOf(options: ConnectInput["options"]): AttachmentWishes {
  const { ip, ip6, alias, link } = options;
  const mac = options["mac-address"];
  const gatewayPriority = options["gw-priority"];
  return {
    ...(ip !== undefined && { ip }),
    ...(ip6 !== undefined && { ip6 }),
    ...(mac !== undefined && { mac }),
    ...(gatewayPriority !== undefined && { gatewayPriority }),
    aliases: alias,
    links: link,
  };
}

async function connectDevice(
  node: Node,
  container: Container,
  options: ConnectInput["options"],
): Promise<AddOutcome> {
  // A container on the network "none" has none by choice, and gets this one by choice: Pipework's usual case.
  if (container.mode !== "none") requireConnectable(container, null);
  requireRunning(container);
  const { ip, ip6, ...wishes } = wishesOf(options);
  const addresses = [ip, ip6].filter((address) => address !== undefined);
  const { devicePlan } = await import("../node/device.ts");
  const plan = devicePlan(options.device ?? "", addresses);
  return attachWith(node, container, { ...plan, wishes, ...ifnameOf(options) });
}
