import { agentOfNamesSocket, namesSocket } from "./names-place.ts";

test("the socket is beside the agent's, and says whose it is", () => {
  const path = namesSocket("/run/fairlead/agent.sock", 4711);
  expect(path).toBe("/run/fairlead/names-4711.sock");
  expect(agentOfNamesSocket("names-4711.sock")).toBe(4711);
});

test.each([
  "agent.sock",
  "names-.sock",
  "names-0.sock",
  "names-12.sock.lock",
  "xnames-12.sock",
  "names-1e3.sock",
  "names-12",
  "names-1200000",
  "worker12.sock",
])("%s is nobody's", (name) => {
  expect(agentOfNamesSocket(name)).toBeNull();
});
