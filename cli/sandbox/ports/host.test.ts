import { chooseHostPorts, type HostPortChoice } from "./host.ts";
import { parsePublish } from "./publish.ts";

function chosen(texts: readonly string[], busy: readonly number[] = [], start = 0): number[] {
  const chooser = {
    range: [40000, 40002] as const,
    isFree: ({ port }: HostPortChoice) => !busy.includes(port),
    random: () => start,
  };
  return chooseHostPorts(texts.flatMap(parsePublish), chooser).map(({ hostPort }) => hostPort);
}

test("ports that were asked for stand, others are chosen around them and around what is busy", () => {
  expect(chosen(["80", "8080:80"])).toEqual([40000, 8080]);
  expect(chosen(["80", "40000:81"])).toEqual([40001, 40000]);
  expect(chosen(["80", "81/tcp", "82/udp"], [40001])).toEqual([40000, 40002, 40000]);
  expect(chosen(["80", "81"], [], 2)).toEqual([40002, 40000]);
  expect(chosen(["8000-8003:80"], [8000, 8001])).toEqual([8002]);
  expect(chosen(["8000-8001:80", "8000-8001:81"])).toEqual([8000, 8001]);
  expect(chosen(["8080:80"], [8080])).toEqual([8080]);
});

test("when all are taken, it says which", () => {
  expect(() => chosen(["8000-8001:80"], [8000, 8001])).toThrow(
    'published port "8000-8001:80": every tcp port from 8000 to 8001 is taken',
  );
  expect(() => chosen(["80-83"])).toThrow("every tcp port from 40000 to 40002 is taken");
});

test("the mapping has the address that was asked for", () => {
  const chooser = { range: [1, 1] as const, isFree: () => true, random: () => 0 };
  expect(chooseHostPorts(parsePublish("127.0.0.1::80/udp"), chooser)).toEqual([
    { hostPort: 1, containerPort: 80, protocol: "udp", hostIP: "127.0.0.1" },
  ]);
});
