import type { FairleadError } from "../errors.ts";
import { IpamClient } from "./client.ts";

const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const acquire = { key, mac: "02:00:00:00:00:01" };

type Answer = readonly [status: number, body: string];

/** A client of a service that gives these answers, one after the other, and what the service was asked. */
function clientOf(...answers: readonly Answer[]) {
  const asked: { head: string; body: unknown; isRepeatable: boolean }[] = [];
  const older: string[] = [];
  const begin = (bytes: Uint8Array, isRepeatable: boolean) => {
    const [head = "", body = ""] = new TextDecoder().decode(bytes).split("\r\n\r\n");
    const [status, text] = answers[asked.length] ?? [500, ""];
    asked.push({
      head: head.split(" HTTP/")[0] ?? "",
      body: body === "" ? null : JSON.parse(body),
      isRepeatable,
    });
    const length = new TextEncoder().encode(text).length;
    return () => new TextEncoder().encode(`HTTP/1.1 ${status} x\r\nContent-Length: ${length}\r\n\r\n${text}`);
  };
  return { client: new IpamClient(begin, (field) => older.push(field)), asked, older };
}

const refusalOf = (code: string, more: object = {}): string =>
  JSON.stringify({ error: { code, operation: "ask", reason: "no", ...more } });
const unknown = (field: string): Answer => [
  400,
  refusalOf("invalid-config", { object: "body", details: { unknownField: field } }),
];

function failureOf(action: () => unknown): FairleadError {
  try {
    action();
  } catch (thrown) {
    return thrown as FairleadError;
  }
  throw new Error("it was taken");
}

test.each<[string, boolean, (client: IpamClient) => unknown]>([
  ["an acquire that has a name", true, (client) => client.beginAcquire({ ...acquire, attempt: "a" })],
  ["an acquire without one", false, (client) => client.beginAcquire(acquire)],
  ["a release that nobody said it of", false, (client) => client.release({ key })],
  ["a release beside which nobody acquires", true, (client) => client.release({ key }, true)],
  ["a verify", true, (client) => client.verify({ key, addresses: [] })],
  ["a GC", false, (client) => client.gc({ networkName: "net", validAttachments: [] })],
  ["a question for a status", false, (client) => client.networkStatus({ networkName: "net" })],
  ["a question for leases", false, (client) => client.leasesOf("c1")],
  ["a quarantine", true, (client) => client.quarantine({ address: "10.1.0.2", reason: "taken" })],
])("%s may be sent twice: %s", (_what, isRepeatable, ask) => {
  const { client, asked } = clientOf([200, '{"leases":[]}']);
  ask(client);
  expect(asked.map((one) => one.isRepeatable)).toEqual([isRepeatable]);
});

test("an acquire is sent at once, and its answer read when it is asked for", () => {
  const { client, asked } = clientOf([200, '{"ips":[]}']);
  const finish = client.beginAcquire(acquire);
  expect(asked).toEqual([{ head: expect.stringMatching(/^POST /), body: acquire, isRepeatable: false }]);
  expect(finish()).toEqual({ ips: [] });
});

test("what a container holds is asked for by its ID, and is the list in the answer", () => {
  const { client, asked } = clientOf([200, '{"leases":[{"address":"10.1.0.2"}]}']);
  expect(client.leasesOf("c1")).toEqual([{ address: "10.1.0.2" }]);
  expect(asked[0]?.head).toMatch(/^GET .*\?containerId=c1$/);
});

test.each([200, 204, 299])("status %d is an answer, though it has no body", (status) => {
  expect(() => clientOf([status, ""]).client.verify({ key, addresses: [] })).not.toThrow();
});

test.each([199, 300, 409])("status %d is none: what the service says is what went wrong", (status) => {
  const body = refusalOf("address-in-use", { object: "10.1.0.2", hint: "ask for another" });
  expect(failureOf(() => clientOf([status, body]).client.release({ key }))).toMatchObject({
    code: "address-in-use",
    object: "10.1.0.2",
    hint: "ask for another",
  });
});

test.each([
  ["without words", "", 'not an error object: ""'],
  ["of nothing", "null", 'not an error object: "null"'],
  ["in other words", '{"fault":"x"}', "fault"],
])("a refusal %s is told as it came", (_what, body, reason) => {
  const failure = failureOf(() => clientOf([502, body]).client.release({ key }));
  expect(failure).toMatchObject({ code: "internal", reason: expect.stringContaining(reason) });
});

test("a field that an older service does not know is left out, and the next one, and each is told of", () => {
  const { client, asked, older } = clientOf(unknown("attempt"), unknown("canSurvey"), [200, '{"ips":[]}']);
  const finish = client.beginAcquire({ ...acquire, attempt: "a", canSurvey: true });
  expect(finish()).toEqual({ ips: [] });
  expect(asked.map(({ body }) => body)).toEqual([
    { ...acquire, attempt: "a", canSurvey: true },
    { ...acquire, canSurvey: true },
    acquire,
  ]);
  expect(asked.every(({ isRepeatable }) => isRepeatable)).toBe(true);
  expect(older).toEqual(["attempt", "canSurvey"]);
});

test("a field that a request cannot do without is refused once, with what to do", () => {
  const { client, asked, older } = clientOf(unknown("sequences"));
  const failure = failureOf(() => client.release({ key, sequences: [7] }));
  expect(failure).toMatchObject({ code: "invalid-config", hint: expect.stringContaining("start it anew") });
  expect([asked.length, older]).toEqual([1, []]);
});
