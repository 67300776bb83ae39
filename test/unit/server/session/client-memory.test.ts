import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ClientMemory, MemoryBudget } from "../../../../src/server/session/client-memory.ts";

/** A client that gives back what it holds when it is closed. */
class Client {
  isClosed = false;
  readonly memory: ClientMemory;
  /** Undefined: what the books say. */
  held: number | undefined;

  constructor(budget: MemoryBudget, bytes = 0) {
    this.memory = new ClientMemory(budget);
    this.memory.add(bytes);
  }

  get heldBytes(): number {
    return this.held ?? this.memory.bytes;
  }

  onOverBudget(): void {
    this.isClosed = true;
    this.memory.add(-this.memory.bytes);
  }
}

const budgetOf = (bytesMax: number) => new MemoryBudget(() => bytesMax, 15 / 16);

describe("a budget", () => {
  test("is over only past its limit, which may change", () => {
    let bytesMax = 100;
    const budget = new MemoryBudget(() => bytesMax);
    const { memory } = new Client(budget, 100);
    expect(budget.isOver).toBe(false);
    memory.add(1);
    expect(budget.isOver).toBe(true);
    bytesMax = 101;
    expect(budget.isOver).toBe(false);
  });

  test("gives one client a quarter of what is left, and nothing once it is over", () => {
    const budget = budgetOf(1000);
    expect(budget.share).toBe(250);
    const { memory } = new Client(budget, 600);
    expect(budget.share).toBe(100);
    memory.add(600);
    expect(budget.share).toBe(0);
  });

  test("makes room by closing those that hold the most, until a sixteenth is free", () => {
    const budget = budgetOf(1600);
    const clients = [100, 700, 300, 600].map((bytes) => new Client(budget, bytes));
    budget.makeRoom(clients);
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, true, false, false]);
    expect(budget.bytes).toBe(1000);
    clients[0]!.memory.add(600);
    budget.makeRoom(clients);
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([true, true, false, false]);
  });

  test("never closes a client of another budget, nor one that holds nothing", () => {
    const [budget, other] = [budgetOf(100), budgetOf(1000)];
    const clients = [new Client(other, 900), new Client(budget, 0), new Client(budget, 200)];
    budget.makeRoom(clients);
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false, true]);
    expect([budget.bytes, other.bytes]).toEqual([0, 900]);
  });

  test("fails its check if it is not the sum of what its clients hold", () => {
    const budget = budgetOf(100);
    const client = new Client(budget, 10);
    budget.check([client]);
    client.memory.bytes = 11;
    expect(() => budget.check([client])).toThrow("a budget is the sum of what its clients hold");
    client.memory.bytes = 10;
    client.held = 12;
    expect(() => budget.check([client])).toThrow("what a client holds is counted while it grows");
  });

  test("counts nothing of a client that has left, which must hold nothing", () => {
    const budget = budgetOf(100);
    const { memory } = new Client(budget, 10);
    expect(() => memory.end()).toThrow("a client that has left holds nothing");
    memory.add(-10);
    memory.end();
    memory.add(50);
    expect(budget.bytes).toBe(0);
  });
});

test("whatever clients take, give back and move, each budget is the sum of its clients' bytes", () => {
  const step = fc.record({ client: fc.nat(3), bytes: fc.nat(1000), does: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budgets = [budgetOf(2000), budgetOf(800)];
      const clients = [0, 1, 2, 3].map((index) => new Client(budgets[index % 2]!));
      for (const { client, bytes, does } of steps) {
        const { memory } = clients[client]!;
        if (does === 0) memory.add(bytes);
        if (does === 1) memory.add(-Math.min(bytes, memory.bytes));
        if (does === 2) memory.budget = budgets[bytes % 2]!;
        if (does === 3) memory.budget.makeRoom(clients);
        for (const budget of budgets) budget.check(clients);
        if (does === 3) expect(memory.budget.isOver).toBe(false);
      }
    }),
  );
});
