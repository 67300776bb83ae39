import { beforeEach, describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import {
  FINISH_MS_MAX,
  LogWriter,
  type Output,
  outputOf,
  PIECE_BYTES_MAX,
  WAITING_BYTES_MAX,
} from "../../../src/platform/log-writer.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";

/** A pipe in memory; a write that would have to wait fails the test. */
class FakePipe implements Output {
  text = "";
  /** How many pieces it takes before it is full. */
  pieces = Number.POSITIVE_INFINITY;
  /** How many bytes a write takes at most. */
  bytesMax = Number.POSITIVE_INFINITY;
  /** The code of the error that writing throws. */
  broken: string | undefined;
  nowMs = 0;
  onWait: () => void = () => {};

  isWritable(withinMs: number): boolean {
    if (this.pieces <= 0 && this.broken === undefined && withinMs > 0) {
      this.nowMs += withinMs;
      this.onWait();
    }
    return this.pieces > 0 || this.broken !== undefined;
  }

  write(bytes: Uint8Array): number {
    if (this.broken !== undefined) throw Object.assign(new Error(), { code: this.broken });
    if (this.pieces-- <= 0 || bytes.length > PIECE_BYTES_MAX) throw new Error("this write waits");
    const taken = bytes.subarray(0, this.bytesMax);
    this.text += Buffer.from(taken).toString();
    return taken.length;
  }

  takeText(): string {
    const { text } = this;
    this.text = "";
    return text;
  }
}

let pipe: FakePipe;
let retries: (() => void)[];
let writer: LogWriter;

beforeEach(() => {
  pipe = new FakePipe();
  retries = [];
  writer = new LogWriter(
    pipe,
    () => pipe.nowMs,
    (work) => void retries.push(work),
  );
});

/** Lets the timer run. */
const retry = () => {
  for (const work of retries.splice(0)) work();
};

test("what is taken is written at once, and no timer is left", () => {
  writer.write("one");
  writer.write("zwölf");
  expect(pipe.text).toBe("one\nzwölf\n");
  expect(retries).toEqual([]);
});

test("what is not taken waits for the timer, or for the next line", () => {
  pipe.pieces = 0;
  writer.write("one");
  writer.write("two");
  expect([pipe.text, retries.length]).toEqual(["", 1]);
  retry();
  expect([pipe.text, retries.length]).toEqual(["", 1]);
  pipe.pieces = 1;
  retry();
  expect([pipe.text, retries.length]).toEqual(["one\ntwo\n", 0]);
  writer.write("three");
  pipe.pieces = 1;
  writer.write("four");
  expect(pipe.text).toBe("one\ntwo\nthree\nfour\n");
  retry();
  expect(retries).toEqual([]);
});

test("lines that waited go together, as many as make a piece, each whole", () => {
  const line = "x".repeat(PIECE_BYTES_MAX / 4 - 1);
  pipe.pieces = 0;
  for (let each = 0; each < 6; each++) writer.write(line);
  pipe.pieces = 1;
  retry();
  expect(pipe.takeText()).toBe(`${line}\n`.repeat(4));
  pipe.pieces = 1;
  retry();
  expect(pipe.text).toBe(`${line}\n`.repeat(2));
});

test("a long line goes in pieces, each taken without waiting", () => {
  const line = "x".repeat(3 * PIECE_BYTES_MAX);
  pipe.pieces = 2;
  writer.write(line);
  expect(pipe.text).toBe("x".repeat(2 * PIECE_BYTES_MAX));
  pipe.pieces = 9;
  retry();
  expect(pipe.text).toBe(`${line}\n`);
});

test("a line that is taken in part goes on where it stood", () => {
  pipe.bytesMax = 2;
  pipe.pieces = 2;
  writer.write("abcdef");
  writer.write("next");
  expect(pipe.text).toBe("abcd");
  pipe.pieces = 99;
  retry();
  expect(pipe.text).toBe("abcdef\nnext\n");
});

test("past the cap the oldest lines are dropped, and a line in their place counts them", () => {
  const lines = Array.from({ length: 1000 }, (_, index) => `${index} ${"x".repeat(995)}`);
  pipe.pieces = 1;
  for (const line of lines) writer.write(line);
  const { waitingBytes } = writer as unknown as { waitingBytes: number };
  expect(waitingBytes).toBeLessThanOrEqual(WAITING_BYTES_MAX);
  expect(waitingBytes).toBeGreaterThan(WAITING_BYTES_MAX - 1001);
  pipe.pieces = Number.POSITIVE_INFINITY;
  retry();
  const written = pipe.text.trimEnd().split("\n");
  expect(written[0]).toBe(lines[0]!);
  const kept = written.slice(2);
  expect(written[1]).toBe(`log lines dropped count=${lines.length - 1 - kept.length}`);
  expect(kept).toEqual(lines.slice(-kept.length));
  pipe.takeText();
  writer.write("after");
  expect(pipe.text).toBe("after\n");
});

test("the line that counts them is as its owner says", () => {
  writer.droppedLine = (count) => `{"dropped":${count}}`;
  pipe.pieces = 0;
  const line = "x".repeat(WAITING_BYTES_MAX / 2 - 1);
  for (let each = 0; each < 3; each++) writer.write(line);
  pipe.pieces = Number.POSITIVE_INFINITY;
  retry();
  expect(pipe.text).toBe(`{"dropped":1}\n${line}\n${line}\n`);
});

test.each(["EPIPE", "ENOSPC"])("%s loses what waits, is no error, and is told later", (code) => {
  pipe.pieces = 0;
  for (const line of ["one", "two"]) writer.write(line);
  pipe.broken = code;
  writer.write("three");
  writer.write("four");
  retry();
  expect(retries).toEqual([]);
  pipe.broken = undefined;
  pipe.pieces = 9;
  writer.write("five");
  expect(pipe.text).toBe("log lines dropped count=4\nfive\n");
});

test("a line that broke off in its middle is ended before the next", () => {
  pipe.bytesMax = 2;
  pipe.pieces = 1;
  writer.write("abcdef");
  pipe.broken = "ENOSPC";
  writer.write("lost");
  pipe.broken = undefined;
  pipe.pieces = 99;
  writer.write("next");
  expect(pipe.text).toBe("ab\nlog lines dropped count=2\nnext\n");
});

test("a pipe that was made non-blocking by others, and is full, loses nothing", () => {
  pipe.broken = "EAGAIN";
  writer.write("one");
  pipe.broken = undefined;
  retry();
  expect(pipe.text).toBe("one\n");
});

describe("at the end", () => {
  test("what waits reaches a reader that reads within the time", () => {
    pipe.pieces = 0;
    writer.write("one");
    writer.write("stopped");
    pipe.onWait = () => {
      pipe.nowMs -= FINISH_MS_MAX / 2;
      pipe.pieces = 1;
    };
    writer.finish();
    expect(pipe.text).toBe("one\nstopped\n");
  });

  test("nobody who reads is waited for no longer", () => {
    pipe.pieces = 0;
    writer.write("one");
    writer.finish();
    expect([pipe.text, pipe.nowMs]).toEqual(["", FINISH_MS_MAX]);
  });

  test("nobody is waited for if nothing waits, or the reader has gone", () => {
    writer.write("one");
    writer.finish();
    pipe.broken = "EPIPE";
    writer.write("two");
    writer.finish();
    expect(pipe.nowMs).toBe(0);
  });
});

describe("a descriptor", () => {
  test("of a pipe that nobody reads is never waited for", () => {
    const path = join(temporaryFolder(), "fifo");
    makeFifo(path);
    const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const descriptor = openSync(path, "r+");
    const real = new LogWriter(outputOf(descriptor), undefined, () => {});
    const line = "x".repeat(999);
    // More than the pipe takes, and less than may wait.
    const count = Math.floor(WAITING_BYTES_MAX / 1000);
    for (let each = 0; each < count; each++) real.write(line);
    const began = performance.now();
    real.finish();
    expect(performance.now() - began).toBeGreaterThanOrEqual(FINISH_MS_MAX - 1);
    const found = Buffer.alloc(64 * 1024);
    let bytes = 0;
    while (bytes < count * 1000) {
      bytes += readSync(reader, found);
      real.finish();
    }
    expect(bytes).toBe(count * 1000);
    closeSync(reader);
    closeSync(descriptor);
  });

  test("of a pipe whose reader has left is no error", () => {
    const path = join(temporaryFolder(), "fifo");
    makeFifo(path);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const descriptor = openSync(path, "w");
    const real = new LogWriter(outputOf(descriptor));
    closeSync(reader);
    real.write("one");
    const again = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    real.write("two");
    const found = Buffer.alloc(100);
    expect(found.toString("utf8", 0, readSync(again, found))).toBe(
      "log lines dropped count=1\ntwo\n",
    );
    closeSync(again);
    closeSync(descriptor);
  });

  test("of a file takes everything at once", () => {
    const path = join(temporaryFolder(), "log");
    const descriptor = openSync(path, "a");
    const real = new LogWriter(outputOf(descriptor), undefined, () => {});
    const line = "x".repeat(999);
    for (let each = 0; each < 2000; each++) real.write(line);
    expect(readFileSync(path, "utf8")).toBe(`${line}\n`.repeat(2000));
    closeSync(descriptor);
  });
});
