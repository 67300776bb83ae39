import { expect, test } from "bun:test";
import { SerialQueue } from "../../../src/base/serial-queue.ts";

type Lane = "first" | "second" | "third";

/** A queue, and what ran in it; a piece takes a moment. */
function start() {
  const queue = new SerialQueue<Lane>(["first", "second", "third"]);
  const ran: string[] = [];
  const add = (lane: Lane, title: string, during: () => unknown = () => {}) =>
    queue.take(lane, async () => {
      ran.push(title);
      await during();
      await Bun.sleep(0);
      return title;
    });
  return { queue, ran, add };
}

test("one piece runs after the other, in their order, and tells what came of it", async () => {
  const { queue, ran, add } = start();
  let isUnderWay = false;
  const alone = async () => {
    expect(isUnderWay).toBe(false);
    isUnderWay = true;
    await Bun.sleep(0);
    isUnderWay = false;
  };
  const all = ["a", "b", "c"].map((title) => add("third", title, alone));
  expect(ran).toEqual([]);
  const fails = queue.take("third", () => Promise.reject(new Error("failed")));
  expect(await Promise.all(all)).toEqual(["a", "b", "c"]);
  await expect(fails).rejects.toThrow("failed");
  expect(await add("second", "d")).toBe("d");
  expect(ran).toEqual(["a", "b", "c", "d"]);
});

test("an earlier lane goes first, but not twice in a row while a later one waits", async () => {
  const { ran, add } = start();
  const all = [1, 2, 3].flatMap((nth) => [
    add("third", `third ${nth}`),
    add("second", `second ${nth}`),
    add("first", `first ${nth}`),
  ]);
  await Promise.all(all);
  expect(ran).toEqual([
    "first 1",
    "second 1",
    "first 2",
    "third 1",
    "first 3",
    "second 2",
    "third 2",
    "second 3",
    "third 3",
  ]);
});

test("a lane that was alone for long owes nothing once the queue was empty", async () => {
  const { ran, add } = start();
  for (let nth = 0; nth < 5; nth++) await add("first", "alone");
  await Bun.sleep(0);
  await Promise.all([add("third", "third"), add("first", "first")]);
  expect(ran.slice(-2)).toEqual(["first", "third"]);
});

test("a piece may let the earlier lanes pass, one piece of each", async () => {
  const { queue, ran, add } = start();
  const passed = async () => {
    const others = [
      add("first", "first 1", () => queue.letPass()),
      add("first", "first 2"),
      add("second", "second"),
      add("third", "third"),
    ];
    await queue.letPass();
    ran.push("went on");
    return others;
  };
  await add("third", "began", passed);
  await until(() => ran.length === 6);
  expect(ran).toEqual(["began", "first 1", "second", "went on", "first 2", "third"]);
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await Bun.sleep(1);
}
