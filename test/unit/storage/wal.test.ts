import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { damageOf, secureWal } from "../../../src/storage/wal.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

const FRAME_BYTES = 24 + 4096;
const frameAt = (frame: number) => 32 + (frame - 1) * FRAME_BYTES;

/** The log of a database with so many commits, over what is left of an older log. */
function logOf(commits: number, rows = 1): Buffer {
  const path = join(temporaryFolder(), "x.db");
  const database = new Database(path, { create: true });
  for (const pragma of ["journal_mode = WAL", "synchronous = OFF", "wal_autocheckpoint = 0"])
    database.run(`PRAGMA ${pragma}`);
  database.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
  const write = database.prepare("INSERT INTO t VALUES (?, zeroblob(3000))");
  for (let old = 0; old < 5; old++) write.run(1_000_000 + old);
  database.run("PRAGMA wal_checkpoint(RESTART)");
  for (let commit = 0; commit < commits; commit++) {
    database.transaction(() => {
      for (let row = 0; row < rows; row++) write.run(commit * rows + row);
    })();
  }
  const bytes = readFileSync(`${path}-wal`);
  database.close();
  return bytes;
}

/** How many frames of the log are of its last writing. */
function framesOf(log: Buffer): number {
  let frames = 0;
  const salts = log.subarray(16, 24);
  const isOurs = (at: number) => log.subarray(at + 8, at + 16).equals(salts);
  while (frameAt(frames + 1) < log.length && isOurs(frameAt(frames + 1))) frames++;
  return frames;
}

/** The frames that end a commit. */
function endsOf(log: Buffer): number[] {
  return Array.from({ length: framesOf(log) }, (_, index) => index + 1).filter(
    (frame) => log.readUInt32BE(frameAt(frame) + 4) > 0,
  );
}

const log = logOf(20, 3);
const ends = endsOf(log);
const last = ends.at(-1)!;

test("a log as a crash left it is whole, wherever the crash tore its last commit", () => {
  expect(ends.length).toBe(20);
  expect(damageOf(log)).toBeUndefined();
  const firstOfLast = frameAt(ends.at(-2)! + 1);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: firstOfLast, max: log.length - 1 })), (tears) => {
      const torn = Buffer.from(log);
      // Sectors that never got to the disk.
      for (const at of tears)
        torn.fill(0, at - (at % 512), Math.min(at - (at % 512) + 512, log.length));
      log.copy(torn, 0, 0, firstOfLast);
      expect(damageOf(torn)).toBeUndefined();
    }),
  );
  for (let length = firstOfLast; length <= log.length; length += 700) {
    expect(damageOf(log.subarray(0, length))).toBeUndefined();
  }
});

test("a flipped bit is found wherever two commits follow the one that it is in", () => {
  const sound = frameAt(ends.at(-3)! + 1);
  fc.assert(
    fc.property(
      fc.integer({ min: 32, max: sound - 1 }),
      fc.integer({ min: 0, max: 7 }),
      (at, bit) => {
        const damaged = Buffer.from(log);
        damaged[at]! ^= 1 << bit;
        const frame = Math.floor((at - 32) / FRAME_BYTES) + 1;
        expect(damageOf(damaged)).toBe(`frame ${frame} of it is damaged, and commits follow`);
      },
    ),
    { numRuns: 300 },
  );
});

test("a commit that was torn over the frames of older ones is no damage", () => {
  const from = ends.at(-2)! + 1;
  expect(last - from).toBeGreaterThan(2);
  for (let frame = from; frame < last; frame++) {
    // The end of a commit of one frame, of which only the header got to the disk.
    const torn = Buffer.from(log);
    torn.writeUInt32BE(9, frameAt(frame) + 4);
    torn.fill(0x55, frameAt(frame) + 16, frameAt(frame) + 600);
    expect(damageOf(torn)).toBeUndefined();
    // A header across two sectors, whose first half is still that of a frame that ended a commit.
    const halved = Buffer.from(log);
    halved.writeUInt32BE(9, frameAt(frame) + 4);
    expect(damageOf(halved)).toBeUndefined();
  }
});

test("damage in the last commit cannot be told from a torn one", () => {
  const damaged = Buffer.from(log);
  damaged[frameAt(last) + 100]! ^= 1;
  expect(damageOf(damaged)).toBeUndefined();
});

test("a damaged header is found, and so is a log that is not there", () => {
  for (let at = 0; at < 32; at++) {
    const damaged = Buffer.from(log);
    damaged[at]! ^= 0x10;
    expect(damageOf(damaged)).toBe("its header is damaged");
  }
  expect(damageOf(Buffer.alloc(0))).toBe("it is missing or empty");
  expect(damageOf(log.subarray(0, 31))).toBe("it is missing or empty");
  expect(secureWal(join(temporaryFolder(), "none"))).toBe("it is missing or empty");
});

test("no bytes of any kind are more than damage", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9000 }), (bytes) => {
      expect(damageOf(Buffer.from(bytes))).toBeString();
    }),
  );
});

test("a log made durable is the same log", () => {
  const path = join(temporaryFolder(), "wal");
  writeFileSync(path, log);
  expect(secureWal(path)).toBeUndefined();
  expect(readFileSync(path).equals(log)).toBe(true);
});
