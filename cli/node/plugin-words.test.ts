import { DelegateError } from "../../lib/cni/errors.ts";
import { FairleadError } from "../../lib/errors.ts";
import { inTypedWords, typedWords } from "./plugin-words.ts";

const ID = "ab".repeat(32);
const nameOf = (id: string) => (id === ID ? "web" : undefined);

test.each([
  [
    "read network configuration runtimeConfig.portMappings[0].hostIP: a port of ::1 cannot lead to a container",
    "--publish: a port of ::1 cannot lead to a container",
  ],
  [
    `publish port tcp/0.0.0.0:80: container ${ID} (interface eth0, network a) has tcp/0.0.0.0:80; publish another port, or remove that container; a DEL or a GC takes back what one that is gone has left`,
    "publish port tcp/0.0.0.0:80: container web (interface eth0, network a) has tcp/0.0.0.0:80; publish another port, or remove that container",
  ],
  [`container ${"cd".repeat(32)} has it`, "container cdcdcdcdcdcd has it"],
  ["args.cni.names[1]: it is empty", "--alias: it is empty"],
])("%s", (text, expected) => expect(typedWords(text, nameOf)).toBe(expected));

const failure = (type: string, code: number) =>
  new DelegateError(
    type,
    { code, msg: "publish port tcp/0.0.0.0:80: taken", details: "take another" },
    { code },
  );

test("the codes of our plugins are ours, those of others are not", () => {
  expect(inTypedWords(failure("fairlead-bridge", 104), "front", nameOf)).toMatchObject({
    code: "in-use",
    message: "network front: publish port tcp/0.0.0.0:80: taken; take another",
  });
  expect(inTypedWords(failure("bridge", 104), "front", nameOf)).toMatchObject({ code: "internal" });
  expect(inTypedWords(failure("fairlead-bridge", 102), "front", nameOf)).toMatchObject({
    code: "address-in-use",
    message: "Address already in use",
  });
});

test("who has an address that no container has is told", () => {
  const holder = "a machine on the network with MAC address 02:00:00:00:00:99 has it";
  const answer = { code: 102, msg: `set address 10.1.0.5: ${holder}`, details: "ask for another address" };
  const thrown = new DelegateError("fairlead-macvlan", answer, { code: 102 });
  expect(inTypedWords(thrown, "front", nameOf)).toMatchObject({
    code: "address-in-use",
    message: `Address already in use: ${holder}`,
  });
});

test("what no plugin reported passes", () => {
  const error = new FairleadError({ code: "timeout", operation: "x", reason: "y" });
  expect(inTypedWords(error, "front", nameOf)).toBe(error);
});
