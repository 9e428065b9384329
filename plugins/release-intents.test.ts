import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReleaseRequest } from "../lib/ipam/api.ts";
import { IpamClient } from "../lib/ipam/client.ts";
import { replayReleaseIntents, writeReleaseIntent } from "./release-intents.ts";

const key = (containerId: string) => ({ networkName: "net", containerId, ifname: "eth0" });
const AT = "2026-01-02T03:04:05.678Z";

let stateDir: string;
let directory: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "fairlead-intents-"));
  directory = join(stateDir, "release-intents");
});
afterEach(() => rmSync(stateDir, { recursive: true }));

/** The plugin's own client over a transport that writes down what was asked. */
function recordingClient(status = 200) {
  const asked: ReleaseRequest[] = [];
  const client = new IpamClient((request) => {
    asked.push(JSON.parse(new TextDecoder().decode(request).split("\r\n\r\n")[1] ?? "") as ReleaseRequest);
    const body = status === 200 ? '{"released":[]}' : '{"error":{"code":"unavailable","reason":"busy"}}';
    const answer = new TextEncoder().encode(
      `HTTP/1.1 ${status} x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return () => answer;
  });
  return { client, asked };
}

function replay(client: IpamClient): string[] {
  const log: string[] = [];
  replayReleaseIntents({ stateDir, client, log: (message) => log.push(message) });
  return log;
}

test("an intent is replayed once, with its instant, and its directory goes with the last one", () => {
  writeReleaseIntent(stateDir, { key: key("a"), at: AT });
  writeReleaseIntent(stateDir, { key: key("b"), at: AT });
  writeReleaseIntent(stateDir, { key: key("a"), at: AT });
  expect(readdirSync(directory)).toHaveLength(2);
  const { client, asked } = recordingClient();
  expect(replay(client)).toEqual([]);
  expect(asked.map((request) => request.key.containerId).sort()).toEqual(["a", "b"]);
  expect(asked.every((request) => request.acquiredBefore === AT)).toBe(true);
  expect(existsSync(directory)).toBe(false);
  replay(client);
  expect(asked).toHaveLength(2);
});

test("what the service does not take stays", () => {
  writeReleaseIntent(stateDir, { key: key("a"), at: AT });
  expect(() => replay(recordingClient(503).client)).toThrow(expect.objectContaining({ code: "unavailable" }));
  expect(readdirSync(directory)).toHaveLength(1);
});

test.each([["no JSON"], ["{}"], ["null"], ['{"at":1,"key":{}}']])(
  "%p is no intent, is logged, and stays",
  (text) => {
    mkdirSync(directory);
    writeFileSync(join(directory, "x.json"), text);
    const { client, asked } = recordingClient();
    expect(replay(client)).toEqual([expect.stringContaining("x.json")]);
    expect(asked).toEqual([]);
    expect(readdirSync(directory)).toEqual(["x.json"]);
  },
);
