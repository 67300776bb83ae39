import { expect, test } from "bun:test";
import fc from "fast-check";
import { Queue } from "../../../src/base/queue.ts";

test("takes what was added first, whatever is added and taken in between", () => {
  const step = fc.oneof(
    fc.nat().map((item) => ({ item })),
    fc.constant({ item: undefined }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const fifo = new Queue<number>();
      const model: number[] = [];
      for (const { item } of steps) {
        if (item === undefined) expect(fifo.take()).toBe(model.shift());
        else {
          fifo.add(item);
          model.push(item);
        }
        expect(fifo.size).toBe(model.length);
        expect(fifo.oldest).toBe(model[0]);
      }
    }),
  );
});

test("lets go of what was taken", () => {
  const fifo = new Queue<number>();
  for (let item = 0; item < 1000; item++) fifo.add(item);
  for (let item = 0; item < 1000; item++) {
    expect(fifo.take()).toBe(item);
    // However it is kept: never twice of what is there, and one.
    expect(JSON.stringify(fifo).length).toBeLessThan(10 * (2 * fifo.size + 10));
  }
});
