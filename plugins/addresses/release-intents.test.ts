import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReleaseRequest } from "../../lib/ipam/api.ts";
import { IpamClient } from "../../lib/ipam/client.ts";
import { replayReleaseIntents, writeReleaseIntent } from "./release-intents.ts";

const key = (containerId: string) => ({ networkName: "net", containerId, ifname: "eth0" });
const AT = "2026-01-02T03:04:05.678Z";
const intent = (containerId: string, attempt = "del") => ({ key: key(containerId), at: AT, attempt });

let stateDir: string;
let directory: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "fairlead-intents-"));
  directory = join(stateDir, "release-intents");
});
afterEach(() => {
  rmSync(stateDir, { recursive: true });
  expect([...held]).toEqual([]);
});

/** The plugin's own client over a transport that writes down what was asked. */
function recordingClient(status = 200, done = '{"released":["10.1.0.2"],"kept":[]}', onAsked = () => {}) {
  const asked: ReleaseRequest[] = [];
  const client = new IpamClient((request, isRepeatable) => {
    // Nobody acquires for the attachment meanwhile.
    expect(isRepeatable).toBe(true);
    asked.push(JSON.parse(new TextDecoder().decode(request).split("\r\n\r\n")[1] ?? "") as ReleaseRequest);
    onAsked();
    const body = status === 200 ? done : '{"error":{"code":"unavailable","reason":"busy"}}';
    const answer = new TextEncoder().encode(
      `HTTP/1.1 ${status} x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return () => answer;
  });
  return { client, asked };
}

/** Attachments that somebody works on. */
let busy: string[] = [];
/** Those that a replay holds. */
const held = new Set<string>();

function replay(client: IpamClient, own?: string): string[] {
  const log: string[] = [];
  const tryHold = ({ containerId }: { containerId: string }) => {
    if (busy.includes(containerId)) return null;
    held.add(containerId);
    return () => void held.delete(containerId);
  };
  const context = { stateDir, client, tryHold, log: (message: string) => log.push(message) };
  replayReleaseIntents(context, own === undefined ? undefined : key(own));
  return log;
}

test("an intent says what its release was given, and no more", () => {
  writeReleaseIntent(stateDir, intent("a"));
  const [name = ""] = readdirSync(directory);
  expect(JSON.parse(readFileSync(join(directory, name), "utf8"))).toEqual(intent("a"));
});

test("an intent is replayed once, by its name, and its directory goes with the last one", () => {
  writeReleaseIntent(stateDir, intent("a", "first"));
  writeReleaseIntent(stateDir, intent("b"));
  writeReleaseIntent(stateDir, intent("a", "second"));
  expect(readdirSync(directory)).toHaveLength(2);
  const { client, asked } = recordingClient();
  expect(replay(client)).toEqual([]);
  expect(asked.map(({ key: { containerId }, attempt }) => `${containerId} ${attempt}`).sort()).toEqual([
    "a second",
    "b del",
  ]);
  expect(asked.every((request) => request.acquiredBefore === undefined)).toBe(true);
  expect(existsSync(directory)).toBe(false);
  replay(client);
  expect(asked).toHaveLength(2);
});

test("a DEL after an ADD that gave up gives up that ADD, too", () => {
  writeReleaseIntent(stateDir, { ...intent("a", "undo"), attempts: ["add"], onlyAttempts: true });
  writeReleaseIntent(stateDir, intent("a"));
  const { client, asked } = recordingClient();
  replay(client);
  expect(asked).toEqual([{ key: key("a"), attempt: "del", attempts: ["add"] }]);
});

test("an ADD carries out what the service has taken, if it is of the same attachment", () => {
  for (const id of ["a", "b"]) {
    writeReleaseIntent(stateDir, intent(id));
    const [name = ""] = readdirSync(directory).filter((each) => each.endsWith(".json"));
    renameSync(join(directory, name), join(directory, `${name}.taken`));
  }
  const { client, asked } = recordingClient();
  replay(client, "a");
  expect(asked.map(({ key: { containerId } }) => containerId)).toEqual(["a"]);
  expect(readdirSync(directory)).toHaveLength(1);
});

test("an ADD carries out what the service takes while it looks at those of others", () => {
  for (let other = 0; other < 20; other += 1) writeReleaseIntent(stateDir, intent(`other${other}`));
  const others = new Set(readdirSync(directory));
  writeReleaseIntent(stateDir, intent("a"));
  const [own = ""] = readdirSync(directory).filter((name) => !others.has(name));
  const { asked, client } = recordingClient(200, undefined, () => {
    // As soon as anybody is asked, unless it has gone already.
    if (existsSync(join(directory, own))) renameSync(join(directory, own), join(directory, `${own}.taken`));
  });
  replay(client, "a");
  expect(asked.filter(({ key: { containerId } }) => containerId === "a")).not.toEqual([]);
  expect(existsSync(directory)).toBe(false);
});

test("of an attempt that the service forgot, whose interface was new, everything is released", () => {
  mkdirSync(directory);
  const undo = { key: key("a"), attempt: "undo", attempts: ["add"], onlyAttempts: true };
  writeFileSync(join(directory, "x.json"), JSON.stringify({ ...undo, wasNew: true }));
  const { client, asked } = recordingClient(200, '{"released":[],"kept":["10.1.0.2"]}');
  replay(client);
  expect(asked).toEqual([undo, { key: key("a"), attempts: ["add"] }]);
  expect(existsSync(directory)).toBe(false);
});

test("what an older program left stays, where its clock spares something", () => {
  mkdirSync(directory);
  writeFileSync(join(directory, "x.json"), JSON.stringify({ key: key("a"), at: AT }));
  const { client, asked } = recordingClient(200, '{"released":[],"kept":["10.1.0.2"]}');
  replay(client);
  expect(asked).toEqual([{ key: key("a"), acquiredBefore: AT }]);
  expect(readdirSync(directory)).toEqual(["x.json"]);
});

test("what the service does not take stays; only that of the own attachment is in an ADD's way", () => {
  writeReleaseIntent(stateDir, intent("a"));
  const { client } = recordingClient(503);
  expect(() => replay(client, "a")).toThrow(expect.objectContaining({ code: "unavailable" }));
  expect(replay(client, "b")).toEqual([expect.stringContaining("left to the service")]);
  expect(readdirSync(directory)).toHaveLength(1);
});

test("of others only those are carried out that nobody works on", () => {
  for (const id of ["a", "b", "c"]) writeReleaseIntent(stateDir, intent(id));
  busy = ["a", "b"];
  const { client, asked } = recordingClient();
  replay(client, "a");
  busy = [];
  expect(asked.map(({ key: { containerId } }) => containerId).sort()).toEqual(["a", "c"]);
  expect(readdirSync(directory)).toHaveLength(1);
});

test("a file of another that cannot be read is in nobody's way, and stays", () => {
  writeReleaseIntent(stateDir, intent("a"));
  writeFileSync(join(directory, "0.json"), JSON.stringify({ ...intent("b"), at: "x".repeat(70_000) }));
  mkdirSync(join(directory, "1.json"));
  const { client, asked } = recordingClient();
  const log = replay(client, "a");
  expect(log.sort()).toEqual([
    expect.stringMatching(/^left to the service: .*0\.json/),
    expect.stringMatching(/^left to the service: .*1\.json/),
  ]);
  expect(asked.map(({ key: { containerId } }) => containerId)).toEqual(["a"]);
  expect(readdirSync(directory).sort()).toEqual(["0.json", "1.json"]);
});

test("one of its own that is no intent does not stop an ADD", () => {
  writeReleaseIntent(stateDir, intent("a"));
  const [name = ""] = readdirSync(directory);
  writeFileSync(join(directory, name), "{}");
  const { client, asked } = recordingClient();
  expect(replay(client, "a")).toEqual([expect.stringContaining(`${name} is no release intent`)]);
  expect(asked).toEqual([]);
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
