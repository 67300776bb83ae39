/** What every shared store has to do: the suite that each of them runs. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { LeaseStore } from "../../../../src/cluster/stores/store.ts";
import { until } from "../../../../testkit/until.ts";

export interface SharedStores {
  /** Starts what the stores are on. */
  start(): Promise<void>;
  /** Another store on the same rows, as another node has it. */
  open(): LeaseStore;
  stop(): Promise<void>;
  /** Whether it can tell of changes. */
  readonly watches: boolean;
}

export function describeSharedStore(title: string, stores: SharedStores): void {
  describe(title, () => {
    let store: LeaseStore;
    let other: LeaseStore;
    let round = 0;
    /** Keys of this test alone. */
    let at = "";

    beforeAll(async () => {
      await stores.start();
      store = stores.open();
      other = stores.open();
    }, 60_000);

    afterAll(async () => {
      await store.close();
      await other.close();
      await stores.stop();
    });

    beforeEach(() => {
      at = `t${++round}/`;
    });

    const put = (guards: Record<string, bigint>, puts: Record<string, string>, by = store) =>
      by.write({
        guards: new Map(Object.entries(guards).map(([key, revision]) => [at + key, revision])),
        puts: new Map(Object.entries(puts).map(([key, value]) => [at + key, value])),
      });
    const read = async (...keys: string[]) => {
      const { rows } = await other.read(keys.map((key) => at + key));
      return Object.fromEntries([...rows].map(([key, { value }]) => [key.slice(at.length), value]));
    };
    const revisionOf = async (key: string) =>
      (await store.read([at + key])).rows.get(at + key)!.revision;

    test("reads what was written, and nothing where nothing was", async () => {
      expect(await read("a", "b")).toEqual({});
      await put({}, { a: "1", b: "größe \u{1f600} '\"\\" });
      expect(await read("a", "b", "c")).toEqual({ a: "1", b: "größe \u{1f600} '\"\\" });
    });

    test("writes all or nothing, by the revisions of the guards", async () => {
      await put({ a: 0n }, { a: "1" });
      const revision = await revisionOf("a");
      expect(await put({ a: revision, b: 0n }, { a: "2", b: "2" })).toBeDefined();
      expect(await put({ a: revision }, { a: "3", c: "3" })).toBeUndefined();
      expect(await put({ b: 0n }, { a: "4", b: "4" })).toBeUndefined();
      expect(await put({ missing: 7n }, { c: "5" })).toBeUndefined();
      expect(await read("a", "b", "c")).toEqual({ a: "2", b: "2" });
    });

    test("guards rows that it does not write", async () => {
      await put({}, { a: "1", b: "1" });
      const revision = await revisionOf("a");
      await put({}, { a: "2" });
      expect(await put({ a: revision }, { b: "2" })).toBeUndefined();
      expect(await put({ a: await revisionOf("a") }, { b: "3" })).toBeDefined();
      expect(await read("a", "b")).toEqual({ a: "2", b: "3" });
    });

    test("of writes that race one wins", async () => {
      await put({}, { a: "0" });
      for (const guard of [await revisionOf("a"), 0n]) {
        const key = guard === 0n ? "new" : "a";
        const racing = Array.from({ length: 12 }, (_, index) =>
          put(
            { [key]: guard },
            { [key]: String(index), [`won${index}${key}`]: "1" },
            index % 2 ? store : other,
          ),
        );
        const won = (await Promise.all(racing)).map((moment) => moment !== undefined);
        expect(won.filter(Boolean)).toHaveLength(1);
        const { rows } = await store.list(`${at}won`);
        expect([...rows.keys()].filter((found) => found.endsWith(key))).toEqual([
          `${at}won${won.indexOf(true)}${key}`,
        ]);
      }
    });

    test("loses no addition of writers that race and try again", async () => {
      await put({}, { sum: "0" });
      const add = async (by: LeaseStore) => {
        for (;;) {
          const { rows } = await by.read([`${at}sum`]);
          const { value, revision } = rows.get(`${at}sum`)!;
          const written = await put({ sum: revision }, { sum: String(Number(value) + 1) }, by);
          if (written !== undefined) return;
        }
      };
      const all = Array.from({ length: 20 }, (_, index) => add(index % 2 ? store : other));
      await Promise.all(all);
      expect(await read("sum")).toEqual({ sum: "20" });
    });

    test("revisions rise with every write, and say of a row when it was written", async () => {
      const first = await put({}, { a: "1" });
      const second = await put({}, { b: "1" });
      expect(second!.revision).toBeGreaterThan(first!.revision);
      expect(await revisionOf("a")).toBe(first!.revision);
      expect(await revisionOf("b")).toBe(second!.revision);
      const { version } = await other.read([]);
      expect(version.revision).toBeGreaterThanOrEqual(second!.revision);
      expect(version).toMatchObject({ identity: first!.identity, timeline: first!.timeline });
    });

    test("tells its time, where it has one", async () => {
      const storeMs = await store.clockMs?.();
      if (storeMs !== undefined) expect(Math.abs(storeMs - Date.now())).toBeLessThan(5000);
    });

    test("lists by the beginning of keys, and what was written since", async () => {
      const many = Object.fromEntries(
        Array.from({ length: 2500 }, (_, index) => [`x/${index}`, "1"]),
      );
      for (let from = 0; from < 2500; from += 100) {
        await put({}, Object.fromEntries(Object.entries(many).slice(from, from + 100)));
      }
      await put({}, { x0: "1", "x.": "1", "X/1": "1", x: "1" });
      const { rows, version } = await other.list(`${at}x/`);
      expect(rows.size).toBe(2500);
      await put({}, { "x/7": "2", "x/new": "2" });
      const since = await other.list(`${at}x/`, version.revision);
      expect([...since.rows.keys()].sort()).toEqual([`${at}x/7`, `${at}x/new`]);
      expect((await other.list(`${at}%`)).rows.size).toBe(0);
    });

    if (!stores.watches) return;
    test("tells who watches that a row was written, by another store, too", async () => {
      const key = `watched${round}`;
      let isTold = false;
      store.watch(key, () => {
        isTold = true;
      });
      for (const value of ["1", "2"]) {
        // It may tell once that it watches; from then on every change. No write is left under way.
        isTold = false;
        await until(async () => {
          await other.write({ guards: new Map(), puts: new Map([[key, value]]) });
          return isTold;
        }, 100);
      }
    });
  });
}
