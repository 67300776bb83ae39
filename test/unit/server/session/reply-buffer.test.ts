/**
 * The replies of one connection, against a list of texts: whatever the socket accepts, and whenever
 * commits end, the bytes sent are the replies in order, those of failed commits replaced by errors.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NoRoom } from "../../../../src/resp/ledger.ts";
import { ReplyBuffer } from "../../../../src/server/session/reply-buffer.ts";
import { DiskUnavailable } from "../../../../src/storage/store.ts";

const failure = new DiskUnavailable("the disk is full");
const FAILED = "-ERR storage unavailable: the disk is full\r\n";

/** Whether a reply waits: for nothing, for the next commit, or for the one behind it. */
type Waits = 0 | 1 | 2;

interface Part {
  text: string;
  /** The commit that it waits for; 0 for none. */
  commit: number;
}

/** A reply buffer beside its model: the texts that are there, and whether one is under way. */
class Twin {
  held = 0;
  sent = "";
  private room = 0;
  private readonly parts: Part[] = [];
  private open: { start: number; hasRoom: boolean; text: string } | undefined;
  private commit = 1;
  private readonly buffer = new ReplyBuffer(
    {
      add: (bytes) => {
        this.held += bytes;
      },
    },
    () => Number.POSITIVE_INFINITY,
  );
  private readonly wire = {
    write: (bytes: Uint8Array, from: number, count: number) => {
      const accepted = Math.min(count, this.room);
      this.room -= accepted;
      this.sent += Buffer.from(bytes.subarray(from, from + accepted)).toString("latin1");
      return accepted;
    },
  };

  private commitOf(waits: Waits): number {
    if (waits === 0) return 0;
    return Math.max(this.commit + waits - 1, ...this.parts.map(({ commit }) => commit));
  }

  /** A reply at once; while another is under way there is none. */
  reply(text: string, waits: Waits): void {
    if (this.open !== undefined) return;
    const { replies } = this.buffer;
    const start = replies.length;
    replies.raw(text);
    if (waits > 0) this.buffer.hold(start, this.commitOf(waits));
    this.parts.push({ text, commit: this.commitOf(waits) });
  }

  /** A reply that is removed at once, as nobody wants it. */
  discard(text: string, waits: Waits): void {
    if (this.open !== undefined) return;
    const start = this.buffer.replies.length;
    this.buffer.replies.raw(text);
    if (waits > 0) this.buffer.hold(start, this.commitOf(waits));
    this.buffer.discard(start);
  }

  /** A reply over several turns begins, or goes on. */
  goOn(text: string, hasRoom: boolean): void {
    const { buffer } = this;
    const { replies } = buffer;
    if (this.open === undefined) {
      const start = replies.length;
      if (hasRoom) buffer.leaveRoom();
      this.open = { start, hasRoom, text: "" };
      buffer.open(start);
    }
    replies.raw(text);
    this.open.text += text;
    if (this.open.hasRoom) expect(buffer.bytesBehindRoom).toBe(this.open.text.length);
  }

  /** The reply under way is whole. */
  conclude(header: string, waits: Waits): void {
    const { open, buffer, parts } = this;
    if (open === undefined) return;
    // A whole reply is never empty.
    if (!open.hasRoom) this.goOn(header, false);
    let start = buffer.close();
    if (open.hasRoom) start += buffer.fillRoom(header);
    if (waits > 0) buffer.hold(start, this.commitOf(waits));
    const text = (open.hasRoom ? header : "") + open.text;
    parts.push({ text, commit: this.commitOf(waits) });
    this.open = undefined;
  }

  /** The client ends while a reply is under way. */
  drop(): void {
    this.buffer.dropOpen();
    this.open = undefined;
  }

  endCommit(hasFailed: boolean): void {
    this.buffer.commitEnded(this.commit, hasFailed ? failure : undefined);
    for (const part of this.parts) {
      if (part.commit !== this.commit) continue;
      part.commit = 0;
      if (hasFailed) part.text = FAILED;
    }
    this.commit++;
  }

  send(room: number): void {
    this.room = room;
    const before = this.sent.length;
    expect(this.buffer.send(this.wire)).toBe(this.sent.length - before);
  }

  /** All that may be sent, and whether that is what was. */
  check(): void {
    const { buffer, parts, sent, open } = this;
    const waiting = parts.findIndex(({ commit }) => commit > 0);
    const ready = parts.slice(0, waiting < 0 ? undefined : waiting).map(({ text }) => text);
    expect(ready.join("").startsWith(sent)).toBe(true);
    expect(buffer.isHolding).toBe(waiting >= 0);
    const bytes = parts.reduce((sum, { text }) => sum + text.length, 0);
    const underWay = open === undefined ? 0 : open.text.length + (open.hasRoom ? 23 : 0);
    expect(buffer.unsent).toBe(bytes - sent.length + underWay);
    expect(this.held).toBe(buffer.replies.bytes.length);
  }

  /** Ends everything, and answers what has to have been sent. */
  finish(): string {
    this.conclude("*1\r\n", 0);
    for (let count = 0; count < 2; count++) this.endCommit(false);
    this.send(Number.POSITIVE_INFINITY);
    this.check();
    return this.parts.map(({ text }) => text).join("");
  }
}

const size = fc.oneof(
  { arbitrary: fc.nat(40), weight: 5 },
  { arbitrary: fc.nat(5000), weight: 2 },
  { arbitrary: fc.nat(150_000), weight: 1 },
);
/** Texts that differ, so that one in the wrong place shows. */
const text = fc
  .tuple(size, fc.nat(9999))
  .map(([bytes, number]) => `$${number}:${"abcdefgh".repeat(bytes / 8 + 1).slice(0, bytes)}\r\n`);
const waits = fc.constantFrom<Waits>(0, 1, 2);
const header = fc.nat({ max: 10 ** 12 }).map((count) => `*${count}\r\n`);
type Step = (twin: Twin) => void;
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(text, waits).map(
    ([is, waits]) =>
      (twin: Twin) =>
        twin.reply(is, waits),
  ),
  fc.tuple(text, waits).map(
    ([is, waits]) =>
      (twin: Twin) =>
        twin.reply(is, waits),
  ),
  fc.tuple(text, waits).map(
    ([is, waits]) =>
      (twin: Twin) =>
        twin.discard(is, waits),
  ),
  fc.tuple(fc.oneof(text, fc.constant("")), fc.boolean()).map(
    ([is, hasRoom]) =>
      (twin: Twin) =>
        twin.goOn(is, hasRoom),
  ),
  fc.tuple(header, waits).map(
    ([is, waits]) =>
      (twin: Twin) =>
        twin.conclude(is, waits),
  ),
  fc.constant((twin: Twin) => twin.drop()),
  fc.boolean().map((hasFailed) => (twin: Twin) => twin.endCommit(hasFailed)),
  size.map((room) => (twin: Twin) => twin.send(room)),
  fc.constant((twin: Twin) => twin.send(Number.POSITIVE_INFINITY)),
);

test("what is sent is every reply in its order, whatever the socket accepts at a time", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const twin = new Twin();
      for (const act of steps) {
        act(twin);
        twin.check();
      }
      expect(twin.finish() === twin.sent).toBe(true);
      // A connection without replies holds no buffer.
      expect(twin.held).toBe(0);
    }),
    { numRuns: 500 },
  );
});

describe("a reply buffer", () => {
  const none = { add() {} };

  test("does not grow for a client that reads slowly, and never has more than its limit", () => {
    let held = 0;
    const ledger = {
      add: (bytes: number) => {
        held += bytes;
      },
    };
    const buffer = new ReplyBuffer(ledger, () => 300_000);
    const wire = { write: (_: Uint8Array, __: number, count: number) => Math.min(count, 10_000) };
    buffer.replies.raw("x".repeat(200_000));
    for (let count = 0; count < 1000; count++) {
      buffer.replies.raw("x".repeat(10_000));
      buffer.send(wire);
    }
    expect(buffer.unsent).toBe(200_000);
    // What is sent is removed once it is as much as what is not.
    expect(held).toBeLessThanOrEqual(2 * 210_000);
    buffer.replies.raw("x".repeat(100_000));
    expect(() => buffer.replies.raw("x".repeat(300_000))).toThrow(NoRoom);
    buffer.clear();
    expect([buffer.unsent, buffer.isHolding, held]).toEqual([0, false, 0]);
  });

  test("counts nothing as sent of a socket that is closed", () => {
    const buffer = new ReplyBuffer(none, () => 1000);
    buffer.replies.raw("+OK\r\n");
    expect(buffer.send({ write: () => -1 })).toBe(0);
    expect(buffer.unsent).toBe(5);
  });

  test("drops with the reply under way nothing that came before it", () => {
    const buffer = new ReplyBuffer(none, () => 1000);
    let sent = "";
    const wire = {
      write: (bytes: Uint8Array, from: number, count: number) => {
        sent += Buffer.from(bytes.subarray(from, from + count)).toString();
        return count;
      },
    };
    buffer.replies.raw("+a\r\n");
    buffer.hold(0, 1);
    buffer.open(buffer.replies.length);
    buffer.leaveRoom();
    buffer.replies.raw("$1\r\nx");
    buffer.dropOpen();
    buffer.dropOpen();
    buffer.send(wire);
    expect(sent).toBe("");
    buffer.commitEnded(1, undefined);
    buffer.send(wire);
    expect([sent, buffer.unsent]).toEqual(["+a\r\n", 0]);
  });
});
