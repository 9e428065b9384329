/**
 * The few messages of containerd's API that are needed to find a container's process, by field number.
 *
 * Source: github.com/containerd/containerd v1.6, api/services/{namespaces,containers,tasks}/v1/*.proto and
 * api/types/task/task.proto; google/protobuf/any.proto.
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

/** What is read of `containers.v1.Container`. */
export interface ContainerdContainer {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Value of the `Any` that holds the OCI runtime specification, as JSON text; empty when it is not kept. */
  readonly spec: string;
}

/** What is read of `v1.types.Process`. */
export interface ContainerdProcess {
  readonly pid: number;
  /** See {@link RUNNING}. */
  readonly status: number;
}

/** `containerd.v1.types.Status`. */
export const RUNNING = 2;
export const PAUSED = 4;

const LENGTH_DELIMITED = 2;

/** Calls `take` for each field; what it does not read is passed over. */
function readFields(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!take(field, reader)) reader.skip(wireType, field);
  }
}

/** The values of one repeated field of messages. */
function readMessages(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  readFields(bytes, (field, reader) => {
    if (field !== wanted) return false;
    messages.push(reader.bytes());
    return true;
  });
  return messages;
}

/** A message whose fields are all text, by number. Empty text is left out, as proto3 does. */
function writeTexts(fields: Readonly<Record<number, string>>): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, text] of Object.entries(fields))
    if (text !== "") writer.tag(Number(field), LENGTH_DELIMITED).string(text);
  return writer.finish();
}

/** `ListNamespacesRequest`, `ListContainersRequest` without a filter. */
export function encodeEmpty(): Uint8Array {
  return new Uint8Array();
}

/** `tasks.v1.GetRequest {string container_id = 1; string exec_id = 2}`. */
export function encodeTaskRequest(containerId: string): Uint8Array {
  return writeTexts({ 1: containerId });
}

/** Names out of `ListNamespacesResponse {repeated Namespace namespaces = 1}`, `Namespace {string name = 1}`. */
export function decodeNamespaces(bytes: Uint8Array): string[] {
  return readMessages(bytes, 1).map((message) => textOf(message, 1));
}

/** `ListContainersResponse {repeated Container containers = 1}`. */
export function decodeContainers(bytes: Uint8Array): ContainerdContainer[] {
  return readMessages(bytes, 1).map(decodeContainer);
}

/** `Container {string id = 1; map<string, string> labels = 2; … Any spec = 5}`, `Any {type_url = 1; bytes value = 2}`. */
function decodeContainer(bytes: Uint8Array): ContainerdContainer {
  const labels = readMessages(bytes, 2).map((entry) => [textOf(entry, 1), textOf(entry, 2)] as const);
  const [spec] = readMessages(bytes, 5);
  return {
    id: textOf(bytes, 1),
    labels: Object.fromEntries(labels),
    spec: spec === undefined ? "" : textOf(spec, 2),
  };
}

/** `GetResponse {Process process = 1}`, `Process {… uint32 pid = 3; Status status = 4}`. Null: no process. */
export function decodeProcess(bytes: Uint8Array): ContainerdProcess | null {
  const [process] = readMessages(bytes, 1);
  if (process === undefined) return null;
  const found = { pid: 0, status: 0 };
  readFields(process, (field, reader) => {
    if (field === 3) found.pid = reader.uint32();
    else if (field === 4) found.status = reader.int32();
    else return false;
    return true;
  });
  return found;
}

/** The text or bytes of one field, as text; empty when it is not there. */
function textOf(bytes: Uint8Array, wanted: number): string {
  let text = "";
  readFields(bytes, (field, reader) => {
    if (field !== wanted) return false;
    text = new TextDecoder().decode(reader.bytes());
    return true;
  });
  return text;
}
