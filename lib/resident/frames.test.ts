import {
  answerBytes,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  LONGEST_REQUEST_BYTES,
  type ResidentRequest,
  requestBytes,
} from "./frames.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

const REQUEST: ResidentRequest = {
  build: "b1",
  plugin: "fairlead-bridge",
  env: { CNI_COMMAND: "ADD", CNI_ARGS: "K=ü", LD_PRELOAD: "/tmp/x.so", PATH: "/bin" },
  stdin: bytesOf('{"name":"net"}'),
};

/** A frame around any header text. */
function frameOf(header: string, stdin = ""): Uint8Array {
  const [head, body] = [bytesOf(header), bytesOf(stdin)];
  const frame = new Uint8Array(12 + head.length + body.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0x31_52_4c_46, true);
  view.setUint32(4, head.length, true);
  view.setUint32(8, body.length, true);
  frame.set(head, 12);
  frame.set(body, 12 + head.length);
  return frame;
}

describe("request", () => {
  test("carries plugin, stdin and the CNI variables, and no other variable", () => {
    const read = decodeRequest(encodeRequest(REQUEST));
    expect(read).toMatchObject({ build: "b1", plugin: "fairlead-bridge" });
    expect({ ...read?.env }).toEqual({ CNI_COMMAND: "ADD", CNI_ARGS: "K=ü" });
    expect(text(read?.stdin ?? new Uint8Array())).toBe('{"name":"net"}');
  });

  test("starts with its name and its lengths", () => {
    const frame = encodeRequest({ build: "", plugin: "p", env: {}, stdin: bytesOf("xy") });
    expect(text(frame.subarray(0, 4))).toBe("FLR1");
    expect([...frame.subarray(4, 12)]).toEqual([34, 0, 0, 0, 2, 0, 0, 0]);
    expect(text(frame.subarray(12))).toBe('{"build":"","plugin":"p","env":{}}xy');
  });

  test("is not known to be whole before its end", () => {
    const frame = encodeRequest(REQUEST);
    expect(requestBytes(frame.subarray(0, 11))).toBeUndefined();
    expect(requestBytes(frame.subarray(0, 12))).toBe(frame.length);
    expect(decodeRequest(frame.subarray(0, -1))).toBeNull();
    expect(decodeRequest(new Uint8Array([...frame, 0]))).toBeNull();
  });

  test("is refused when it says that it is longer than allowed, or is something else", () => {
    const long = frameOf("{}");
    new DataView(long.buffer).setUint32(8, LONGEST_REQUEST_BYTES, true);
    expect(requestBytes(long)).toBeNull();
    const huge = frameOf("{}");
    new DataView(huge.buffer).setUint32(4, 0xffff_ffff, true);
    new DataView(huge.buffer).setUint32(8, 0xffff_ffff, true);
    expect(requestBytes(huge)).toBeNull();
    expect(requestBytes(bytesOf("GET / HTTP/1.1\r\n"))).toBeNull();
  });

  test.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["an array", "[]"],
    ["no env", '{"build":"b","plugin":"p"}'],
    ["env that is null", '{"build":"b","plugin":"p","env":null}'],
    ["a variable that is no text", '{"build":"b","plugin":"p","env":{"CNI_IFNAME":1}}'],
    ["a plugin that is no text", '{"build":"b","plugin":{},"env":{}}'],
    ["no build", '{"plugin":"p","env":{}}'],
    ["too deep", "[".repeat(90_000)],
  ])("is refused with a header of %s", (_, header) => {
    expect(decodeRequest(frameOf(header))).toBeNull();
  });

  test("is refused with a header that is not UTF-8", () => {
    const frame = frameOf('{"build":"b","plugin":"p?","env":{}}');
    frame[frame.indexOf(0x3f)] = 0xff;
    expect(decodeRequest(frame)).toBeNull();
  });

  test("takes no variable from a prototype", () => {
    const read = decodeRequest(
      frameOf('{"build":"b","plugin":"p","env":{"__proto__":{"CNI_IFNAME":"x"},"LD_PRELOAD":"y"}}'),
    );
    expect(Object.keys(read?.env ?? { missing: 1 })).toEqual([]);
    expect(read?.env["CNI_IFNAME"]).toBeUndefined();
  });
});

describe("answer", () => {
  test("carries exit status and both streams", () => {
    const answer = encodeAnswer({ exitCode: 1, stdout: bytesOf("{}"), stderr: bytesOf("log") });
    expect(answerBytes(answer.subarray(0, 11))).toBeUndefined();
    expect(answerBytes(answer.subarray(0, 12))).toBe(answer.length);
    const read = decodeAnswer(answer);
    expect([read.exitCode, text(read.stdout), text(read.stderr)]).toEqual([1, "{}", "log"]);
  });
});
