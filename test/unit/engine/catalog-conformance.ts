/** What commands may rely on in every catalog: one suite for LocalCatalog and ClusterCatalog. */

import { afterEach, describe, expect, test } from "bun:test";
import { Refusal } from "../../../src/base/errors.ts";
import type { Dispenser } from "../../../src/dispenser/dispenser.ts";
import { NO_PERIOD } from "../../../src/dispenser/types/type.ts";
import type { Catalog } from "../../../src/engine/catalog.ts";
import type { Engine } from "../../../src/engine/engine.ts";

/** A node with a catalog, which nobody else uses. */
export interface NodeUnderTest {
  readonly catalog: Catalog;
  readonly engine: Engine;
  close(): Promise<void>;
}

const client = { isOver: false };

const KEY = "000102030405060708090a0b0c0d0e0f";
const OTHER_KEY = "ffeeddccbbaa99887766554433221100";

/** The field that a line of codes needs where nodes share it without talking. */
const keyOn = ({ isStriped }: Engine): string => (isStriped ? ` key ${KEY}` : "");
const into = new Uint8Array(32);

export function describeCatalog(title: string, open: () => Promise<NodeUnderTest>): void {
  describe(`the catalog of ${title}`, () => {
    let node: NodeUnderTest | undefined;
    afterEach(async () => {
      await node?.close();
      node = undefined;
    });

    const start = async () => {
      node = await open();
      const { catalog, engine } = node;
      const define = async (name: string, words: string, reuse = false) => {
        const list = words.split(" ");
        const fields = new Map<string, string>();
        for (let at = 0; at < list.length; at += 2) fields.set(list[at]!, list[at + 1]!);
        const set = await catalog.define(name, fields, reuse);
        engine.commit();
        return set instanceof Refusal ? set.message : set;
      };
      /** As GET does it. */
      const take = async (name: string) => {
        for (let isKnown = false; ; isKnown = true) {
          const waits = catalog.prepare([{ names: [name], takes: true }], isKnown, client);
          if (waits === undefined) break;
          await waits;
        }
        const dispenser = engine.find(name);
        if (dispenser === undefined) return undefined;
        const bytes = dispenser.nextBytes;
        if (bytes > 0) engine.take(dispenser, into, 0);
        engine.commit();
        return bytes === 0 ? "" : Buffer.from(into.subarray(0, bytes)).toString();
      };
      const advance = async (dispenser: Dispenser, number: string) => {
        const next = await catalog.advance(dispenser, number);
        engine.commit();
        return next instanceof Refusal ? next.message : next;
      };
      const remove = async (...names: string[]) => {
        const removed = await catalog.remove(names, client);
        engine.commit();
        return removed.map(({ name }) => name);
      };
      return { catalog, engine, define, take, advance, remove };
    };

    test("defines a dispenser, and counts the fields that were set", async () => {
      const { engine, define, take } = await start();
      expect(await define("x", "type 3 starting 5")).toBe(2);
      expect(await define("x", "starting 5")).toBe(0);
      expect(engine.find("x")!.definition.strategy).toBe("elegant_close");
      expect([await take("x"), await take("x")]).toEqual(["5", "6"]);
    });

    test("refuses what cannot be, and changes nothing then", async () => {
      const { engine, define, take } = await start();
      expect(await define("a b", "type 3")).toStartWith(
        "ERR invalid dispenser name: a name is 1 to 255 bytes of UTF-8 ",
      );
      expect(await define("x", "type 7")).toStartWith("ERR invalid type '7'");
      expect(await define("x", "type 3 length 4")).toBe("ERR 'length' does not apply to type 3");
      expect(engine.find("x")).toBeUndefined();
      await define("x", "type 3");
      expect(await define("x", "step 2")).toStartWith("ERR cannot change 'step' of 'x'");
      expect(await take("x")).toBe("0");
    });

    test("switches the strategy, and lets a length grow", async () => {
      const { define, take } = await start();
      await define("x", "type 2 length 3");
      expect(await take("x")).toBe("000");
      expect(await define("x", "auto_disk pre_close length 4")).toBe(0);
      expect(await take("x")).toBe("0001");
      expect(await define("x", "length 2")).toStartWith("ERR cannot change 'length'");
      expect(await define("x", "auto_disk memory")).toContain("repeats numbers after each start");
    });

    test("knows no number of a name that is not there", async () => {
      const { take, remove } = await start();
      expect(await take("x")).toBeUndefined();
      expect(await remove("x")).toEqual([]);
    });

    test("ends a line at its last number", async () => {
      const { define, take } = await start();
      await define("x", "type 2 length 1 starting 8");
      expect([await take("x"), await take("x"), await take("x")]).toEqual(["8", "9", ""]);
    });

    test("removes names, and goes on where one stood that is defined again", async () => {
      const { engine, define, take, remove } = await start();
      for (const name of ["x", "y"]) await define(name, "type 3");
      expect([await take("x"), await take("y")]).toEqual(["0", "0"]);
      expect(await remove("x", "nobody", "y")).toEqual(["x", "y"]);
      expect(engine.size).toBe(0);
      expect(await define("x", "type 2 length 3")).toStartWith("ERR 'x' was deleted at ");
      expect(await define("x", "type 3")).toBe(1);
      // A lease that was under way may have taken more.
      expect(Number(await take("x"))).toBeGreaterThan(0);
      expect(await define("y", "type 2 length 3", true)).toBe(2);
      expect(await take("y")).toBe("000");
    });

    test("advances a line, never back and never past its end", async () => {
      const { engine, define, take, advance } = await start();
      await define("x", "type 2 length 4 step 10");
      const x = engine.find("x")!;
      expect(await take("x")).toBe("0000");
      expect(await advance(x, "495")).toBe("0500");
      expect(await take("x")).toBe("0500");
      expect(await advance(x, "3")).toBe("0510");
      expect(await advance(x, "10000")).toContain("'x' has no number from 10000 on");
      expect(await advance(x, "many")).toStartWith("ERR invalid number 'many'");
      expect(await take("x")).toBe("0510");
      await define("r", "type 1 length 4");
      expect(await advance(engine.find("r")!, "5")).toBe("ERR ADVANCE does not apply to type 1");
    });

    test("hands out codes, none twice, and never tells one before", async () => {
      const { engine, define, take, advance } = await start();
      const key = keyOn(engine);
      expect(await define("c", `type code length 4${key}`)).toBe(key === "" ? 2 : 3);
      const codes = [];
      for (let count = 0; count < 40; count++) codes.push(await take("c"));
      expect(new Set(codes).size).toBe(40);
      const c = engine.find("c")!;
      const { series } = c.definition;
      expect(c.current).toBe("0");
      expect(await advance(c, "0999")).toStartWith("ERR invalid code");
      const ahead = series.numberAt(3000n);
      expect(await advance(c, ahead)).toBe("0");
      expect(await take("c")).toBe(series.numberAt(3001n));
      expect(await define("c", "auto_disk memory")).toContain(
        "elegant_close, pre_close for type 4",
      );
      expect(await define("c", `key ${OTHER_KEY}`)).toStartWith("ERR cannot change 'key' of 'c'");
    });

    test("goes on with the codes of a deleted line, without its key, and repeats none", async () => {
      const { engine, define, take, remove } = await start();
      const key = keyOn(engine);
      await define("c", `type 4 length 4${key}`);
      const codes = [await take("c"), await take("c"), await take("c")];
      await remove("c");
      // Any other line of codes could meet them; what the key is nobody is told.
      expect(await define("c", `type 4 length 5${key}`)).toBe(
        "ERR 'c' was deleted: its numbers may be in use. Define another name, or say reuse yes",
      );
      expect(await define("c", `type 4 length 4 key ${OTHER_KEY}`)).toContain("was deleted");
      const set = await define("c", `type code length 4 alphabet digits${key}`);
      expect(set).toBe(key === "" ? 3 : 4);
      for (let count = 0; count < 200; count++) codes.push(await take("c"));
      expect(new Set(codes).size).toBe(203);
    });

    test("writes numbers in a format, which changes only by a word once one is out", async () => {
      const { engine, define, take, advance } = await start();
      expect(await define("f", "type 2 length 4 starting 1 format A-{n}{luhn}")).toBe(4);
      const refused = "ERR cannot change 'format' of 'f': its numbers are in use";
      // Other nodes that share a line without talking may have handed out numbers of it.
      if (engine.isStriped) {
        expect(await define("f", "format INV-{n}")).toStartWith(refused);
        expect(await define("f", "format INV-{n}", true)).toBe(0);
      } else expect(await define("f", "format INV-{n}")).toBe(0);
      expect(await take("f")).toBe("INV-0001");
      expect(await define("f", "format B{n}")).toStartWith(refused);
      const f = engine.find("f")!;
      expect([f.current, engine.next(f)]).toEqual(["0002", "INV-0002"]);
      expect(await advance(f, "INV-0500")).toBe("INV-0500");
      expect(await advance(f, "600")).toBe("INV-0600");
      expect(await define("f", "length 5")).toBe(0);
      expect(await take("f")).toBe("INV-00600");
      expect(await define("f", "format B{n}", true)).toBe(0);
      expect(await take("f")).toBe("B00601");
      expect(await define("g", "type 3 format {n}-{x}")).toStartWith(
        "ERR invalid format '{n}-{x}'",
      );
    });

    test("changes no format so that the line would end earlier, as its position may lie behind", async () => {
      const { engine, define, advance } = await start();
      await define("f", "type 3");
      await advance(engine.find("f")!, "5000");
      const refused =
        "ERR cannot change 'format' of 'f': the line would end earlier. Define another name";
      expect(await define("f", "format {rf}ABCDEFGHIJKLMNOPQR{n}", true)).toBe(refused);
      expect(await define("f", "format N{n}", true)).toBe(0);
    });

    test("goes on behind any code, also the last one", async () => {
      const { engine, define, take, advance } = await start();
      await define("c", `type code length 4 alphabet ab${keyOn(engine)}`);
      const c = engine.find("c")!;
      const last = c.definition.series.numberAt(15n);
      expect(await advance(c, last)).toBe("0");
      expect(await take("c")).toBe("");
    });

    test("changes the zone of a line's dates by no way round", async () => {
      const { define } = await start();
      await define("d", "type 3 format {HH}:{n} zone Asia/Tokyo");
      const refused =
        "ERR cannot change 'format' of 'd': its numbers are in use. Define another name";
      expect(await define("d", "format {n}")).toBe(refused);
      expect(await define("d", "zone UTC")).toContain("cannot change 'zone' of 'd'");
    });

    test("verifies the numbers of a line: those handed out or skipped, and no other", async () => {
      const { catalog, engine, define, take, advance } = await start();
      await define("x", "type 2 length 4 step 3");
      const x = engine.find("x")!;
      const verify = (position: bigint) => catalog.verify(x, position, NO_PERIOD);
      expect(await verify(0n)).toBe(false);
      expect(await take("x")).toBe("0000");
      expect(await verify(0n)).toBe(true);
      await advance(x, "1200");
      expect(await verify(399n)).toBe(true);
      expect(await verify(3000n)).toBe(false);
    });

    test("says more of a dispenser only where others have a part of it", async () => {
      const { catalog, engine, define } = await start();
      await define("x", "type 3");
      const more = await catalog.describe(engine.find("x")!);
      expect(Object.keys(more).length > 0).toBe(catalog.isShared);
      expect(catalog.sharing !== undefined).toBe(catalog.isShared);
    });
  });
}
