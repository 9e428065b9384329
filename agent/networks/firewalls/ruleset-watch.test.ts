import { RulesetWatch } from "./ruleset-watch.ts";

function watched(costMs = 0) {
  const world = { generation: 1, now: 0, looks: 0, damages: 0, isWrong: false, isBusy: false };
  const watch = new RulesetWatch({
    isBusy: () => world.isBusy,
    generation: () => world.generation,
    mend: () => {
      world.looks += 1;
      world.now += costMs;
      const wasWrong = world.isWrong;
      if (wasWrong) world.generation += 1;
      world.isWrong = false;
      return wasWrong;
    },
    onDamage: () => {
      world.damages += 1;
    },
    now: () => world.now,
  });
  return { world, watch };
}

test("rules are looked at once, and again whenever somebody changed something", () => {
  const { world, watch } = watched();
  for (const changes of [0, 0, 1, 0, 5, 0]) {
    world.generation += changes;
    watch.look();
  }
  expect(world).toMatchObject({ looks: 3, damages: 0 });
});

test("once started, it looks four times a second until it is closed", () => {
  jest.useFakeTimers();
  const { world, watch } = watched();
  watch.close();
  watch.start();
  jest.advanceTimersByTime(249);
  expect(world.looks).toBe(0);
  for (let second = 0; second < 4; second += 1) {
    jest.advanceTimersByTime(250);
    world.generation += 1;
  }
  expect(world.looks).toBe(4);
  watch.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

test("damage is told; what mending committed is looked at once more", () => {
  const { world, watch } = watched();
  watch.look();
  world.generation += 1;
  world.isWrong = true;
  for (let time = 0; time < 3; time += 1) watch.look();
  expect(world).toMatchObject({ looks: 3, damages: 1 });
});

test("looking takes a twentieth of the time at most, and nothing is missed", () => {
  const { world, watch } = watched(10);
  for (let step = 0; step < 1_000; step += 1) {
    world.now += 1;
    world.generation += 1;
    watch.look();
  }
  expect(world.looks * 10).toBeLessThanOrEqual(world.now / 20 + 10);
  world.now += 200;
  const before = world.looks;
  watch.look();
  watch.look();
  expect(world.looks).toBe(before + 1);
});

test("after a look of 10 ms nobody looks for 190 ms, and then at once", () => {
  const { world, watch } = watched(10);
  watch.look();
  const lookAt = (now: number): number => {
    Object.assign(world, { now, generation: world.generation + 1 });
    watch.look();
    return world.looks;
  };
  expect([lookAt(199), lookAt(200)]).toEqual([1, 2]);
});

test("while rules are being made nobody looks; afterwards somebody does", () => {
  const { world, watch } = watched();
  world.isBusy = true;
  watch.look();
  expect(world.looks).toBe(0);
  world.isBusy = false;
  watch.look();
  expect(world.looks).toBe(1);
});

test("a generation that cannot be read is no look", () => {
  const { world } = watched();
  const watch = new RulesetWatch({
    isBusy: () => false,
    generation: () => {
      throw new Error("no answer");
    },
    mend: () => true,
    onDamage: () => {
      world.damages += 1;
    },
  });
  expect(() => watch.look()).toThrow("no answer");
  expect(world.damages).toBe(0);
});
