/** What every store has to do: the suite that sqlite.test.ts and memory-store.test.ts run. */

import { describe, expect, test } from "bun:test";
import type { Definition } from "../../../src/dispenser/definition.ts";
import { define } from "../../../src/dispenser/fields.ts";
import type { Reservation } from "../../../src/dispenser/reservation.ts";
import type { Change, Store } from "../../../src/storage/store.ts";

export interface StoreUnderTest {
  readonly store: Store;
  /** The store as the next life finds it, after close() or after a crash at this instant. */
  reopen(): StoreUnderTest;
}

const MAX = 2n ** 63n - 1n;

export function definitionOf(fields: Record<string, string>): Definition {
  return define(new Map(Object.entries(fields))) as Definition;
}

const plain = (strategy: string) => definitionOf({ type: "3", auto_disk: strategy });

export function reservation(id: number, more: Partial<Reservation>): Change {
  const account = { reserved: 0n, generated: 0n, wasted: 0n };
  return {
    kind: "reserve",
    reservation: {
      id,
      keeps: "position",
      account,
      segment: undefined,
      replaces: false,
      run: undefined,
      ...more,
    },
  };
}

export function describeStore(title: string, open: () => StoreUnderTest): void {
  const write = (store: Store, ...changes: Change[]) => {
    for (const change of changes) store.stage(change);
    store.commit();
  };
  const loaded = (store: Store) => [...store.load()].flat();

  /** What is there after both kinds of end. */
  const afterEachEnd = (prepare: (store: Store) => void, check: (store: Store) => void) => {
    for (const ending of ["crash", "close"]) {
      const life = open();
      loaded(life.store);
      prepare(life.store);
      if (ending === "close") life.store.close();
      const next = life.reopen();
      expect(next.store.crashed).toBe(ending === "crash");
      check(next.store);
      next.store.close();
    }
  };

  describe(title, () => {
    test("is empty at first, and was not in use", () => {
      const { store } = open();
      expect(store.crashed).toBe(false);
      expect(loaded(store)).toEqual([]);
      store.close();
    });

    test("adds up what operators skipped of a line, as long as it is defined", () => {
      const definition = plain("elegant_close");
      afterEachEnd(
        (store) => {
          for (const id of [1, 2, 3]) {
            write(store, { kind: "define", id, name: `line:${id}`, definition });
          }
          write(store, { kind: "skip", id: 1, numbers: 5n }, { kind: "skip", id: 1, numbers: 7n });
          write(store, { kind: "skip", id: 2, numbers: MAX }, { kind: "skip", id: 3, numbers: 1n });
          // A line has 2^63 numbers, one more than an integer of SQLite holds.
          write(store, { kind: "skip", id: 2, numbers: MAX });
          write(store, { kind: "remove", id: 3 });
          write(store, { kind: "define", id: 4, name: "line:3", definition });
          expect([1, 2, 3, 4].map((id) => store.skippedOf(id))).toEqual([12n, MAX, 0n, 0n]);
        },
        (store) => {
          loaded(store);
          expect([1, 2, 3, 4].map((id) => store.skippedOf(id))).toEqual([12n, MAX, 0n, 0n]);
        },
      );
    });

    test("keeps definitions exactly, in the order of ids", () => {
      const definitions = [
        definitionOf({ type: "1", length: "18", auto_disk: "memory" }),
        definitionOf({ type: "2", length: "6", starting: "5", step: "10" }),
        definitionOf({
          type: "3",
          starting: String(MAX),
          step: String(MAX),
          auto_disk: "pre_close",
        }),
      ];
      const names = ["b", "a", "gr\xc3\xb6\xc3\x9fe"];
      afterEachEnd(
        (store) => {
          for (const index of [2, 0, 1]) {
            write(store, {
              kind: "define",
              id: index + 1,
              name: names[index]!,
              definition: definitions[index]!,
            });
          }
        },
        (store) => {
          const found = loaded(store);
          expect(found.map(({ id, name }) => [id, name])).toEqual([
            [1, "b"],
            [2, "a"],
            [3, names[2]!],
          ]);
          expect(found.map(({ definition }) => definition)).toEqual(definitions);
          expect(found.every(({ account }) => account === undefined)).toBe(true);
        },
      );
    });

    const kinds: [string, Partial<Reservation>][] = [
      ["elegant_close", { keeps: "position" }],
      ["memory", { keeps: "definition" }],
      ["pre-base", { keeps: "segments", segment: { first: 40n, last: 99n } }],
      ["pre-checkpoint", { keeps: "checkpoint", segment: { first: 0n, last: 499n } }],
    ];
    test.each(kinds)("keeps the account of a line that is %s", (strategy, more) => {
      const account = { reserved: 100n, generated: 93n, wasted: 7n };
      afterEachEnd(
        (store) =>
          write(
            store,
            { kind: "define", id: 1, name: "x", definition: plain(strategy) },
            reservation(1, { ...more, account }),
          ),
        (store) => {
          const [found] = loaded(store);
          expect(found!.account).toEqual(account);
          expect(found!.segmentEnd).toBe(
            more.segment === undefined ? undefined : more.segment.last + 1n,
          );
        },
      );
    });

    test("keeps positions up to 2^63", () => {
      const account = { reserved: MAX + 1n, generated: 1n, wasted: MAX };
      const segment = { first: MAX, last: MAX };
      afterEachEnd(
        (store) =>
          write(
            store,
            { kind: "define", id: 1, name: "x", definition: plain("pre_close") },
            reservation(1, { keeps: "checkpoint", account, segment }),
          ),
        (store) => expect(loaded(store)[0]).toMatchObject({ account, segmentEnd: MAX + 1n }),
      );
    });

    test("keeps 2^63 wasted numbers, all of the longest line", () => {
      const account = { reserved: MAX + 1n, generated: 0n, wasted: MAX + 1n };
      afterEachEnd(
        (store) =>
          write(
            store,
            { kind: "define", id: 1, name: "x", definition: plain("elegant_close") },
            reservation(1, { account }),
          ),
        (store) => expect(loaded(store)[0]!.account).toEqual(account),
      );
    });

    test("keeps an empty segment at the very end of the longest line", () => {
      const account = { reserved: MAX + 1n, generated: 1n, wasted: MAX };
      afterEachEnd(
        (store) =>
          write(
            store,
            { kind: "define", id: 1, name: "x", definition: plain("pre-base") },
            reservation(1, {
              keeps: "segments",
              account,
              segment: { first: MAX + 1n, last: MAX },
              replaces: true,
            }),
          ),
        (store) => expect(loaded(store)[0]).toMatchObject({ account, segmentEnd: MAX + 1n }),
      );
    });

    test("the last reservation counts, and its counts alone may follow", () => {
      const step = (reserved: bigint, generated: bigint, first?: bigint) =>
        reservation(1, {
          keeps: "segments",
          account: { reserved, generated, wasted: reserved - generated },
          segment: first === undefined ? undefined : { first, last: reserved - 1n },
        });
      afterEachEnd(
        (store) => {
          write(store, { kind: "define", id: 1, name: "x", definition: plain("pre-base") });
          write(store, step(10n, 5n, 0n));
          write(store, step(30n, 20n, 10n));
          write(store, step(60n, 30n, 30n));
          write(store, step(60n, 59n));
        },
        (store) =>
          expect(loaded(store)[0]!.account).toEqual({ reserved: 60n, generated: 59n, wasted: 1n }),
      );
    });

    test("a change of strategy leaves nothing of the one before, and may lower the reservation", () => {
      const account = { reserved: 12n, generated: 12n, wasted: 0n };
      for (const [strategy, more] of kinds) {
        for (const [after, moreAfter] of kinds) {
          afterEachEnd(
            (store) => {
              const before = { reserved: 100n, generated: 12n, wasted: 0n };
              write(
                store,
                { kind: "define", id: 1, name: "x", definition: plain(strategy) },
                reservation(1, { ...more, account: before }),
              );
              const empty = after === "pre-base" ? { first: 12n, last: 11n } : undefined;
              write(
                store,
                { kind: "define", id: 1, name: "x", definition: plain(after) },
                reservation(1, {
                  keeps: moreAfter.keeps!,
                  account,
                  segment: empty,
                  replaces: true,
                }),
              );
            },
            (store) => {
              const [found] = loaded(store);
              expect(found!.definition.strategy as string).toBe(after);
              expect(found!.account).toEqual(account);
              expect(found!.segmentEnd ?? 12n).toBe(12n);
            },
          );
        }
      }
    });

    test("a removed dispenser is gone with all that was kept of it, and its name is free", () => {
      afterEachEnd(
        (store) => {
          const account = { reserved: 5n, generated: 5n, wasted: 0n };
          write(
            store,
            { kind: "define", id: 1, name: "x", definition: plain("elegant_close") },
            reservation(1, { account }),
          );
          write(
            store,
            { kind: "remove", id: 1 },
            { kind: "define", id: 2, name: "x", definition: plain("elegant_close") },
          );
        },
        (store) => {
          expect(loaded(store).map(({ id, account }) => [id, account])).toEqual([[2, undefined]]);
        },
      );
    });

    describe("deleted lines", () => {
      const deleted = (name: string, text: string, reserved: bigint, deletedAtS = 100) => ({
        name,
        definition: definitionOf({ type: "3", ...Object.fromEntries(new URLSearchParams(text)) }),
        account: { reserved, generated: reserved / 2n, wasted: reserved - reserved / 2n },
        deletedAtS,
      });
      const keep = (line: ReturnType<typeof deleted>): Change => ({ kind: "keep", line });
      const purge = (deletedBeforeS: number, keptMax: number, atOnce: number): Change => ({
        kind: "purge",
        deletedBeforeS,
        keptMax,
        atOnce,
      });
      const some = [
        deleted("a", "", 5n),
        deleted("gr\xc3\xb6\xc3\x9fe", "step=7&auto_disk=pre_close", 2n),
        deleted("a", `starting=${MAX}`, 1n, 200),
        deleted("b", "", MAX + 1n, 300),
      ];
      const all = (store: Store) => store.listDeleted(-1, 100);
      const withoutNumber = (lines: readonly { readonly nth: number }[]) =>
        lines.map(({ nth: _, ...line }) => line) as unknown;

      test("are kept exactly, by name and in their order", () => {
        afterEachEnd(
          (store) => {
            expect([store.deletedSize, store.oldestDeletedS]).toEqual([0, Infinity]);
            write(store, ...some.map(keep));
            expect(store.deletedSize).toBe(4);
          },
          (store) => {
            loaded(store);
            expect([store.deletedSize, store.oldestDeletedS]).toEqual([4, 100]);
            expect(withoutNumber(all(store))).toEqual(some);
            expect(withoutNumber(store.deletedOf("a"))).toEqual([some[0], some[2]]);
            expect(store.deletedOf("c")).toEqual([]);
            const page = store.listDeleted(all(store)[0]!.nth, 2);
            expect(withoutNumber(page)).toEqual([some[1], some[2]]);
          },
        );
      });

      test("the age of the database rises, and never falls", () => {
        afterEachEnd(
          (store) => {
            expect(store.ageS).toBe(0);
            write(store, { kind: "age", seconds: 700 });
            write(store, { kind: "age", seconds: 600 });
            expect(store.ageS).toBe(700);
          },
          (store) => {
            loaded(store);
            expect(store.ageS).toBe(700);
          },
        );
      });

      test("keep all 2^63 numbers of the longest line as wasted", () => {
        const line = { ...some[3]!, account: { ...some[3]!.account, generated: 0n } };
        const account = { ...line.account, wasted: MAX + 1n };
        afterEachEnd(
          (store) => write(store, keep({ ...line, account })),
          (store) => {
            loaded(store);
            expect(store.deletedOf("b")[0]!.account).toEqual(account);
          },
        );
      });

      test("are forgotten by name, or one of them by its definition, and moved by their number", () => {
        afterEachEnd(
          (store) => {
            write(store, ...some.map(keep));
            const account = { reserved: 9n, generated: 1n, wasted: 8n };
            const { nth } = store.deletedOf(some[1]!.name)[0]!;
            write(
              store,
              { kind: "forget", name: "a", definition: some[0]!.definition },
              { kind: "forget", name: "b" },
              { kind: "forget", name: "c" },
              { kind: "move deleted", nth, account, run: undefined },
            );
          },
          (store) => {
            loaded(store);
            expect(store.deletedSize).toBe(2);
            expect(all(store).map(({ name, account }) => [name, account.reserved])).toEqual([
              [some[1]!.name, 9n],
              ["a", 1n],
            ]);
          },
        );
      });

      test("go where they are too old or too many, the oldest first, so many at once", () => {
        afterEachEnd(
          (store) => {
            const lines = Array.from({ length: 10 }, (_, at) =>
              deleted(`x${at}`, "", 1n, 100 + at),
            );
            write(store, ...lines.map(keep));
            write(store, purge(103, 1000, 2));
            expect(store.oldestDeletedS).toBe(102);
            write(store, purge(103, 1000, 2));
            expect(store.deletedSize).toBe(7);
            write(store, purge(0, 4, 2));
            write(store, purge(0, 4, 2));
          },
          (store) => {
            loaded(store);
            expect(all(store).map(({ name }) => name)).toEqual(["x6", "x7", "x8", "x9"]);
          },
        );
      });
    });

    test("what was staged and not committed is lost in a crash, and kept by a close", () => {
      for (const ending of ["crash", "close"]) {
        const life = open();
        loaded(life.store);
        life.store.stage({ kind: "define", id: 1, name: "x", definition: plain("memory") });
        if (ending === "close") life.store.close();
        const next = life.reopen();
        expect(loaded(next.store).length).toBe(ending === "close" ? 1 : 0);
        next.store.close();
      }
    });
  });
}
