import { expect, test } from "bun:test";
import { Wants } from "../../../../src/cluster/lines/wants.ts";
import type { Definition } from "../../../../src/dispenser/definition.ts";
import { Dispenser } from "../../../../src/dispenser/dispenser.ts";
import { define } from "../../../../src/dispenser/fields.ts";

const line = define(new Map([["type", "3"]])) as Definition;

function start() {
  let nowMs = 0;
  const wants = new Wants(() => nowMs);
  const lines = Array.from({ length: 100 }, (_, id) => new Dispenser(id, `n${id}`, line));
  const idsOf = () => wants.take().map(({ dispenser: { id } }) => id);
  const pass = (milliseconds: number) => {
    nowMs += milliseconds;
  };
  return { wants, lines, idsOf, pass };
}

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

test("lines that clients wait for come before those that ask ahead of time", async () => {
  const { wants, lines, idsOf } = start();
  for (const each of lines.slice(0, 90)) void wants.add(each, 0);
  const granted = [wants.add(lines[95]!, 3), wants.add(lines[89]!, 1), wants.add(lines[95]!, 4)];
  const [first, ...others] = wants.take();
  expect([first!.dispenser.id, first!.count]).toEqual([95, 7]);
  expect(others.map(({ dispenser: { id } }) => id)).toEqual([89, ...upTo(0, 38)]);
  first!.granted.resolve();
  await Promise.all([granted[0], granted[2]]);
  expect([idsOf(), idsOf()]).toEqual([upTo(38, 78), upTo(78, 89)]);
  expect([wants.isEmpty, idsOf()]).toEqual([true, []]);
});

test("a contended line goes alone, and holds up no others for long", () => {
  const { wants, lines, idsOf, pass } = start();
  for (const id of [3, 50]) wants.markContended(lines[id]!);
  for (const each of lines) void wants.add(each, 1);
  expect(idsOf()).toEqual([0, 1, 2, ...upTo(4, 40)]);
  expect(idsOf()).toEqual([3]);
  expect(idsOf()).toEqual(upTo(40, 80).filter((id) => id !== 50));
  pass(30_000);
  expect(idsOf()).toEqual([50, ...upTo(80, 100)]);
});

test("a want that is put back keeps those who wait for it, and joins a newer one", async () => {
  const { wants, lines } = start();
  const older = wants.add(lines[0]!, 2);
  const [taken] = wants.take();
  const newer = wants.add(lines[0]!, 0);
  wants.putBack(taken!);
  const [both] = wants.take();
  expect(both!.count).toBe(2);
  wants.putBack(both!);
  expect(wants.take()).toEqual([both!]);
  both!.granted.resolve();
  await Promise.all([older, newer]);
  const refused = [wants.add(lines[1]!, 1), wants.add(lines[2]!, 0)];
  wants.rejectAll(new Error("none"));
  for (const each of refused) await expect(each).rejects.toThrow("none");
  expect(wants.isEmpty).toBe(true);
});
