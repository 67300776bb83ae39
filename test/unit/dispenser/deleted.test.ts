import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Refusal } from "../../../src/base/errors.ts";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { continued, covering, meets, refuseMemory } from "../../../src/dispenser/deleted.ts";
import { define } from "../../../src/dispenser/fields.ts";

const MAX = 2n ** 63n - 1n;

function line(text: string): Definition {
  const words = text.split(" ");
  const pairs = words.flatMap((word, at) =>
    at % 2 === 0 ? [[word, words[at + 1]!] as const] : [],
  );
  return define(new Map(pairs)) as Definition;
}

/** A deleted line of a node alone. */
const used = (text: string, position: bigint) => ({
  definition: line(text),
  position,
  usedBelow: position,
});

describe("whether a line meets another", () => {
  /** Lines small enough to be written out. */
  const some = fc
    .record({ starting: fc.integer({ min: 0, max: 40 }), step: fc.integer({ min: 1, max: 15 }) })
    .map(({ starting, step }) => line(`type 2 length 2 starting ${starting} step ${step}`));
  const numbers = (of: Definition, from: bigint, below: bigint) => {
    const found: bigint[] = [];
    for (let at = from; at < below; at++) found.push(BigInt(of.series.numberAt(at)));
    return found;
  };

  test("is what writing both out says", () => {
    fc.assert(
      fc.property(some, some, fc.nat(12), fc.nat(12), (one, other, from, below) => {
        const end = one.series.positions;
        const otherBelow =
          BigInt(below) < other.series.positions ? BigInt(below) : other.series.positions;
        const mine = new Set(numbers(one, BigInt(from), end));
        const theirs = numbers(other, 0n, otherBelow);
        expect(meets(one, BigInt(from), other, otherBelow)).toBe(theirs.some((n) => mine.has(n)));
      }),
      { numRuns: 5000 },
    );
  });

  test("is the same whichever of the two it is asked of, over the whole range", () => {
    const any = fc
      .record({
        starting: fc.bigInt({ min: 0n, max: MAX }),
        step: fc.bigInt({ min: 1n, max: MAX }),
      })
      .map(({ starting, step }) => line(`type 3 starting ${starting} step ${step}`));
    fc.assert(
      fc.property(any, any, (one, other) => {
        const [all, allOther] = [one.series.positions, other.series.positions];
        expect(meets(one, 0n, other, allOther)).toBe(meets(other, 0n, one, all));
      }),
    );
  });

  const from = (definition: string, position: bigint, other: string, below: bigint) =>
    meets(line(definition), position, line(other), below);

  test("is exact where one ends and the other begins", () => {
    expect(from("type 3 starting 1001", 0n, "type 3", 1002n)).toBe(true);
    expect(from("type 3 starting 1002", 0n, "type 3", 1002n)).toBe(false);
    expect(from("type 3", 1001n, "type 3", 1002n)).toBe(true);
    expect(from("type 3", 1002n, "type 3", 1002n)).toBe(false);
    expect(from("type 3", 0n, "type 3", 0n)).toBe(false);
    expect(from("type 3", 0n, "type 3", 1n)).toBe(true);
  });

  test("is so of steps without a number in common", () => {
    expect(from("type 3 step 2", 0n, "type 3 starting 1 step 2", MAX / 2n)).toBe(false);
    expect(from("type 3 step 6", 0n, "type 3 starting 3 step 4", 1000n)).toBe(false);
    expect(from("type 3 step 6", 0n, "type 3 starting 2 step 4", 1000n)).toBe(true);
    // 6 is the first they have in common: the second number of the other.
    expect(from("type 3 step 6", 0n, "type 3 starting 2 step 4", 1n)).toBe(false);
    expect(from("type 3 step 6", 0n, "type 3 starting 2 step 4", 2n)).toBe(true);
  });

  test("is so of numbers, not of texts", () => {
    expect(from("type 3 starting 42 step 1000", 0n, "type 2 length 4", 43n)).toBe(true);
    expect(from("type 2 length 4 starting 42", 0n, "type 2 length 6 starting 42", 1n)).toBe(true);
    expect(from("type 2 length 2", 0n, "type 3 starting 100", 500n)).toBe(false);
  });

  test("is exact at 2^63 - 1", () => {
    const last = `type 3 starting ${MAX}`;
    expect(from(last, 0n, "type 3", 2n ** 63n)).toBe(true);
    expect(from(last, 0n, "type 3", MAX)).toBe(false);
    expect(from(last, 1n, "type 3", 2n ** 63n)).toBe(false);
    expect(from(`type 3 step ${MAX}`, 0n, `type 3 starting ${MAX - 1n} step 1`, 2n)).toBe(true);
    expect(from(`type 3 step ${MAX}`, 0n, `type 3 starting ${MAX - 1n} step 1`, 1n)).toBe(false);
  });
});

describe("a name with deleted lines", () => {
  const ask = (given: string, ...deleted: ReturnType<typeof used>[]) => {
    const found = continued("order_id", line(given), deleted);
    return found instanceof Refusal ? found.message : found;
  };
  const refused = (at: bigint, way: string) =>
    `ERR 'order_id' was deleted at ${at}: its numbers may be in use. ${way}, or say reuse yes`;

  test("goes on with the one that has the same numbers, whatever its strategy", () => {
    const deleted = used("type 3 starting 1000", 2n);
    expect(ask("type 3 starting 1000", deleted)).toBe(deleted);
    expect(ask("type 3 starting 1000 auto_disk pre_close", deleted)).toBe(deleted);
  });

  test("may not be a line that meets them, and learns where it may start", () => {
    const deleted = used("type 3 starting 1000", 2n);
    expect(ask("type 3", deleted)).toBe(refused(1002n, "Give starting 1002"));
    expect(ask("type 2 length 6", deleted)).toBe(refused(1002n, "Give starting 1002"));
    expect(ask("type 3 starting 1002", deleted)).toBeUndefined();
    expect(ask("type 3 starting 1000 step 7", deleted)).toBe(refused(1002n, "Give starting 1002"));
  });

  test("may not be the same line in memory, which would repeat it at each start", () => {
    const deleted = used("type 3", 5n);
    expect(ask("type 3 auto_disk memory", deleted)).toBe(refused(5n, "Give starting 5"));
    expect(ask("type 3 starting 5 auto_disk memory", deleted)).toBeUndefined();
  });

  test("may be anything of type 1, or what never meets them", () => {
    expect(ask("type 1 length 4", used("type 3", 5000n))).toBeUndefined();
    expect(ask("type 3 starting 1 step 2", used("type 3 step 2", 5000n))).toBeUndefined();
    expect(ask("type 3", used("type 3", 0n))).toEqual(used("type 3", 0n));
  });

  test("may not go on into the numbers of another of them", () => {
    const [low, high] = [used("type 3", 1000n), used("type 3 starting 5000", 100n)];
    expect(ask("type 3", low, high)).toBe(refused(5100n, "Give starting 5100"));
    expect(ask("type 3 starting 5000", low, high)).toBe(high);
    expect(ask("type 3 starting 5100", low, high)).toBeUndefined();
  });

  test("is told of a start that fits, or of another name where there is none", () => {
    const deleted = used("type 2 length 4", 10_000n);
    expect(ask("type 2 length 4 starting 7", deleted)).toBe(
      refused(10_000n, "Define another name"),
    );
    expect(ask("type 2 length 5", deleted)).toBe(refused(10_000n, "Give starting 10000"));
    // What would have come next is past the end; right behind the last number there is room.
    const far = used(`type 3 starting 1 step ${2n ** 62n}`, 2n);
    expect(ask("type 3", far)).toBe(refused(1n + 2n ** 63n, `Give starting ${2n + 2n ** 62n}`));
  });

  test("of which other nodes have handed out who knows what, may be the same line alone", () => {
    const deleted = { definition: line("type 3"), position: 2000n, usedBelow: 2n ** 63n };
    expect(ask("type 3", deleted)).toBe(deleted);
    expect(ask("type 3 starting 5000", deleted)).toBe(refused(2000n, "Define another name"));
  });

  test("gets no advice that would be refused", () => {
    const some = fc
      .record({
        starting: fc.integer({ min: 0, max: 300 }),
        step: fc.integer({ min: 1, max: 60 }),
        below: fc.integer({ min: 1, max: 12 }),
      })
      .map(({ starting, step, below }) =>
        used(`type 3 starting ${starting} step ${step}`, BigInt(below)),
      );
    fc.assert(
      fc.property(
        fc.array(some, { minLength: 1, maxLength: 4 }),
        some,
        (deleted, { definition }) => {
          const found = continued("x", definition, deleted);
          const advice = /Give starting (\d+)/.exec(found instanceof Refusal ? found.message : "");
          if (advice === null) return;
          const given = line(`type 3 starting ${advice[1]} step ${definition.values.step}`);
          expect(continued("x", given, deleted)).not.toBeInstanceOf(Refusal);
        },
      ),
    );
  });
});

test("one line covers all that others may have in use", () => {
  const some = [used("type 3 starting 70 step 10", 4n), used("type 2 length 2 starting 5", 3n)];
  const { definition, position } = covering(some);
  expect([definition.values.starting, definition.values.step, position]).toEqual([5n, 1n, 96n]);
  const all = covering([used("type 3", 2n ** 63n)]);
  expect([all.definition, all.position]).toEqual([line("type 3"), 2n ** 63n]);
});

describe("a line becomes memory", () => {
  const [durable, memory] = [line("type 3"), line("type 3 auto_disk memory")];

  test("freely where nothing of it is in use", () => {
    expect(refuseMemory("x", durable, memory, false)).toBeUndefined();
    expect(refuseMemory("x", memory, memory, true)).toBeUndefined();
    expect(refuseMemory("x", memory, durable, true)).toBeUndefined();
    const random = "type 1 length 3";
    const become = [line(random), line(`${random} auto_disk memory`)] as const;
    expect(refuseMemory("x", ...become, true)).toBeUndefined();
  });

  test("not by accident where it has handed out numbers", () => {
    expect(refuseMemory("x", durable, memory, true)?.message).toBe(
      "ERR cannot change 'auto_disk' of 'x' to memory: its numbers are in use, and a line in memory repeats " +
        "numbers after each start. Define another name, or say reuse yes",
    );
  });
});
