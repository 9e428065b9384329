/**
 * Containers of Docker, asked over its API.
 *
 * Source: Docker Engine API 1.41, `GET /containers/{id}/json`.
 */
import { FairleadError } from "../../lib/errors.ts";
import { parseJsonAnswer } from "../../lib/json-answer.ts";
import type { NodePaths } from "../base/paths.ts";
import { askText } from "../base/unix-http.ts";
import type { Candidate, Container, NetworkMode } from "./container.ts";
import { processNetns } from "./process.ts";

const TIMEOUT_MS = 5_000;

interface Inspected {
  readonly Id: string;
  /** With a slash before it. */
  readonly Name: string;
  readonly State: { readonly Running: boolean; readonly Pid: number };
  readonly HostConfig: { readonly NetworkMode: string };
}

export function dockerCandidates({ dockerSocket }: NodePaths, reference: string): Candidate[] {
  const inspected = inspect(dockerSocket, reference);
  if (inspected === null) return [];
  const { Id: id, Name } = inspected;
  const name = Name.replace(/^\//, "");
  return [{ kind: "docker", id, names: [name], describe: () => describe(inspected, name) }];
}

/** Null when Docker knows no such container, or does not run. */
function inspect(socket: string, reference: string): Inspected | null {
  try {
    const target = `/v1.41/containers/${encodeURIComponent(reference)}/json`;
    const asking = { socket, timeoutMs: TIMEOUT_MS, httpVersion: "1.0" } as const;
    const { status, body } = askText({ method: "GET", target }, asking);
    if (status === 200) return parseJsonAnswer(body, socket) as Inspected;
    if (status === 404) return null;
    const { message = body } = parseJsonAnswer(body, socket) as { message?: string };
    throw new FairleadError({
      code: "invalid-config",
      operation: "ask Docker for",
      object: reference,
      reason: message,
    });
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.code === "unavailable") return null;
    throw thrown;
  }
}

function describe({ Id, State, HostConfig }: Inspected, name: string): Container {
  const netns = State.Running ? processNetns(State.Pid) : null;
  return { kind: "docker", id: Id, name, netns, mode: modeOf(HostConfig.NetworkMode) };
}

function modeOf(networkMode: string): NetworkMode {
  if (networkMode === "host" || networkMode === "none") return networkMode;
  return networkMode.startsWith("container:") ? "shared" : "own";
}
