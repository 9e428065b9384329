/**
 * Has resident workers set a loopback up and down, over and over: `node --experimental-ffi … EXECUTABLE-DIGEST SOCKET NETNS COUNT`.
 * Prints how many of the requests a worker took.
 */
const [digest = "", socketPath = "", netns = "", count = ""] = process.argv.slice(2);
// What the compiler puts in the place of this name: workers take requests of their own build only.
Object.assign(globalThis, { FAIRLEAD_BUILD: digest });
const { tryResident } = await import("../../../lib/resident/client.ts");
const stdin = new TextEncoder().encode(
  JSON.stringify({ cniVersion: "1.0.0", name: "load", type: "loopback" }),
);
let taken = 0;
for (let round = 0; round < Number(count); round += 1) {
  const env = {
    CNI_COMMAND: round % 2 === 0 ? "ADD" : "DEL",
    CNI_CONTAINERID: "load",
    CNI_NETNS: netns,
    CNI_IFNAME: "lo",
    CNI_PATH: "/nonexistent",
  };
  const answer = tryResident({ socketPath, plugin: "fairlead-loopback", env, stdin });
  if (answer?.exitCode === 0) taken += 1;
  else if (answer) throw new Error(new TextDecoder().decode(answer.stdout));
}
console.log(taken);

export {};
