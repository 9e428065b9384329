import {
  decodeContainers,
  decodeNamespaces,
  decodeProcess,
  encodeTaskRequest,
} from "./containerd-messages.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
const text = (value: string): string => Buffer.from(value).toString("hex");

test("namespaces", () => {
  // ListNamespacesResponse { Namespace { name: "k8s.io", labels … }, Namespace { name: "default" } }
  const answer = bytes(`
    0a 0c  0a 06 ${text("k8s.io")}  12 02 0a 00
    0a 09  0a 07 ${text("default")}`);
  expect(decodeNamespaces(answer)).toEqual(["k8s.io", "default"]);
});

test("a container with its labels and specification; what is not read is passed over", () => {
  const label = `12 08  0a 02 ${text("k1")}  12 02 ${text("v1")}`;
  const spec = `2a 08  0a 02 ${text("ty")}  12 02 ${text("{}")}`;
  const image = `1a 03 ${text("img")}`;
  const container = `0a 02 ${text("c1")} ${label} ${image} ${spec}`;
  const length = (container.replaceAll(/\s/g, "").length / 2).toString(16).padStart(2, "0");
  expect(decodeContainers(bytes(`0a ${length} ${container}`))).toEqual([
    { id: "c1", labels: { k1: "v1" }, spec: "{}" },
  ]);
});

test("a process, and none", () => {
  // GetResponse { Process { container_id: "c1", id: "c1", pid: 300, status: RUNNING, stdin: "x" } }
  const process = `0a 02 ${text("c1")} 12 02 ${text("c1")} 18 ac02 20 02 2a 01 ${text("x")}`;
  expect(decodeProcess(bytes(`0a 10 ${process}`))).toEqual({ pid: 300, status: 2 });
  expect(decodeProcess(new Uint8Array())).toBeNull();
});

test("a request for a task", () => {
  expect(Buffer.from(encodeTaskRequest("web")).toString("hex")).toBe(`0a03${text("web")}`);
});

test("bytes that are no message are an error, not a hang", () => {
  for (const hex of ["0a", "0aff", "ffffffffffffffffffffff", "07"])
    expect(() => decodeContainers(bytes(hex))).toThrow();
});
