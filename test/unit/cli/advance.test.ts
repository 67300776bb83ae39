/** A folder that went back in time, as a snapshot of its disk does: `advance -all` moves its lines ahead. */

import { describe, expect, test } from "bun:test";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { advanceAll } from "../../../src/cli/advance.ts";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { type Allocation, Striped, wholeLine } from "../../../src/dispenser/allocation.ts";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { crashCopy, temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { messageAtOnce } from "../../support/message-of.ts";

const options = { create: true, allowNetworkFileSystem: false };
const into = Buffer.alloc(20);
const ALL = { all: "", confirm: "" };

function open(dataDir: string, allocation: Allocation = wholeLine): Engine {
  return new Engine(openSqliteStore(dataDir, options), {
    now: () => 0,
    savesCounts: false,
    allocation,
  });
}

function take(engine: Engine, name: string, count = 1): string {
  const dispenser = engine.find(name)!;
  let last = "";
  for (let taken = 0; taken < count; taken++) {
    const { nextBytes } = dispenser;
    engine.take(dispenser, into, 0);
    last = into.toString("latin1", 0, nextBytes);
  }
  engine.commit();
  return last;
}

const define = (engine: Engine, name: string, fields: Record<string, string>, reuse = false) =>
  new LocalCatalog(engine).define(name, new Map(Object.entries(fields)), reuse);

const advance = (dataDir: string, flags: Record<string, string>) =>
  advanceAll(new Map(Object.entries(flags)), { ...options, dataDir });

/** Lines of all kinds, each of which handed out ten numbers, and two that were deleted. */
function makeFolder(isClean: boolean): string {
  const dataDir = join(temporaryFolder(), "data");
  const engine = open(dataDir);
  for (const strategy of strategyNames) {
    define(engine, strategy, { type: "3", auto_disk: strategy });
    take(engine, strategy, 10);
  }
  define(engine, "was_durable", { type: "3" });
  take(engine, "was_durable", 10);
  define(engine, "was_durable", { auto_disk: "memory" }, true);
  define(engine, "short", { type: "2", length: "3" });
  define(engine, "ended", { type: "2", length: "1", starting: "9" });
  take(engine, "ended");
  define(engine, "random", { type: "1", length: "6" });
  for (const name of ["gone", "gone_short"]) {
    define(engine, name, name === "gone" ? { type: "3" } : { type: "2", length: "1" });
    take(engine, name, 3);
    new LocalCatalog(engine).remove([name]);
  }
  engine.commit();
  if (!isClean) return crashCopy(dataDir);
  engine.close();
  return dataDir;
}

describe("advance -all", () => {
  test.each([true, false])("moves every line ahead, after a clean stop: %p", (isClean) => {
    const dataDir = makeFolder(isClean);
    expect(advance(dataDir, { ...ALL, margin: "1000" })).toBe(
      `moved the lines of 9 dispensers in ${dataDir} ahead by 1000 numbers, and 2 deleted ones; at their end: short`,
    );
    const store = openSqliteStore(dataDir, options);
    expect(store.crashed).toBe(false);
    const engine = new Engine(store, { now: () => 0, savesCounts: false });
    for (const strategy of strategyNames) {
      const { position, counts } = engine.find(strategy)!;
      const least = strategy === "memory" ? 1000n : 1010n;
      expect([strategy, position >= least && position <= least + 10n]).toEqual([strategy, true]);
      if (strategy !== "memory") expect(counts.generated + counts.wasted).toBe(position);
    }
    expect(take(engine, "was_durable")).toBe("1010");
    expect(engine.find("short")!.nextBytes).toBe(0);
    expect(engine.find("ended")!.nextBytes).toBe(0);
    expect(engine.find("random")!.nextBytes).toBe(6);
    expect(define(engine, "gone", { type: "3" })).toBe(1);
    expect(take(engine, "gone")).toBe("1003");
    expect(define(engine, "gone_short", { type: "2", length: "1" })).toBe(2);
    expect(engine.find("gone_short")!.nextBytes).toBe(0);
    engine.commit();
    engine.close();
  });

  test("keeps what a snapshot did not know from coming again", () => {
    const dataDir = makeFolder(true);
    const snapshot = join(temporaryFolder(), "data");
    cpSync(dataDir, snapshot, { recursive: true });
    const later = open(dataDir);
    const last = BigInt(take(later, "elegant_close", 500));
    later.close();
    advance(snapshot, { ...ALL, margin: "500" });
    const engine = open(snapshot);
    expect(BigInt(take(engine, "elegant_close"))).toBeGreaterThan(last);
    engine.close();
  });

  test("of node i of n moves ahead by its own numbers, to its own end", () => {
    const dataDir = join(temporaryFolder(), "data");
    const allocation = new Striped(2, 3);
    const store = openSqliteStore(dataDir, options);
    const engine = new Engine(store, { now: () => 0, savesCounts: false, allocation });
    store.writeNode(JSON.stringify({ place: "2/3" }));
    define(engine, "x", { type: "3" });
    define(engine, "short", { type: "2", length: "4" });
    take(engine, "x", 500);
    take(engine, "short", 1500);
    engine.close();
    expect(advance(dataDir, { ...ALL, margin: "1700" })).toEndWith(
      "ahead by 1700 numbers; at their end: short",
    );
    const next = open(dataDir, allocation);
    expect(take(next, "x")).toBe("7200");
    expect(next.find("short")!.nextBytes).toBe(0);
    next.close();
  });

  test("refuses what it cannot know, and changes nothing then", async () => {
    const dataDir = makeFolder(true);
    const refused = (flags: Record<string, string>, folder = dataDir) =>
      messageAtOnce(() => advance(folder, flags));
    expect(await refused({ margin: "5", confirm: "" })).toStartWith(
      "UsageError: advance needs -all",
    );
    expect(await refused(ALL)).toStartWith("UsageError: advance needs -margin N: how many numbers");
    expect(await refused({ all: "", margin: "5" })).toStartWith(
      "UsageError: advance needs -confirm: every line skips 5 numbers for good",
    );
    expect(await refused({ ...ALL, margin: "x" })).toBe(
      "UsageError: -margin: 'x' must be a whole number from 0 to 9223372036854775807",
    );
    const none = join(temporaryFolder(), "none");
    expect(await refused({ ...ALL, margin: "5" }, none)).toBe(
      `CannotStart: data folder ${none} has no database: name the folder with -data`,
    );
    expect(existsSync(none)).toBe(false);
    const engine = open(dataDir);
    expect(engine.find("elegant_close")!.position).toBe(10n);
    engine.close();

    const member = makeFolder(true);
    const store = openSqliteStore(member, options);
    const joining = new Engine(store, { now: () => 0, savesCounts: false });
    store.writeNode(JSON.stringify({ joining: { cluster: "c", node: "n", base: 0 } }));
    joining.close();
    expect(await refused({ ...ALL, margin: "5" }, member)).toContain("of a node of a cluster");
    const after = open(member);
    expect(after.find("elegant_close")!.position).toBe(10n);
    after.close();
  });

  test("is a command of the program, and waits for no server that runs there", async () => {
    const line = ["advance", "-all", "-margin", "100", "-confirm", "-data", "x"];
    const { command, flags } = parseArguments(line);
    expect(command).toBe("advance");
    expect(Object.fromEntries(flags)).toEqual({ ...ALL, margin: "100", data: "x" });
    const server = await ServerProcess.start({});
    const { dataDir } = server;
    const flagsOfAll = { ...ALL, margin: "100" };
    expect(messageAtOnce(() => advance(dataDir, flagsOfAll))).toContain(
      `data folder ${dataDir} is in use by process`,
    );
    await server.end("SIGTERM");
    expect(advance(dataDir, flagsOfAll)).toEndWith("ahead by 100 numbers");
  });
});
