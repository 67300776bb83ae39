/**
 * Writes the lines of the log, and never waits for whoever reads them. What is not taken at once
 * waits in a queue of WAITING_BYTES_MAX; past that the oldest lines are dropped, and a line in
 * their place tells how many. So the newest, which say how a process ends, are kept.
 */

import { writeSync } from "node:fs";
import { Queue } from "../base/queue.ts";
import { writability } from "./libc.ts";

/**
 * The bytes that a pipe takes without waiting if poll(2) calls it writable: PIPE_BUF of Linux, and
 * the least that POSIX allows elsewhere (macOS has it).
 */
export const PIECE_BYTES_MAX = process.platform === "linux" ? 4096 : 512;
/** The most bytes of lines that wait. */
export const WAITING_BYTES_MAX = 256 * 1024;
/** The time after which what waits is tried again, unless another line comes before. */
const RETRY_AFTER_MS = 50;
/** The most time that finish() waits for a reader. */
export const FINISH_MS_MAX = 100;

/** Where the lines go. */
export interface Output {
  /** Whether it takes PIECE_BYTES_MAX without waiting, now or within so many milliseconds. */
  isWritable(withinMs: number): boolean;
  /** Answers how many bytes it took. Throws EAGAIN if it is full, others if it is broken. */
  write(bytes: Uint8Array): number;
}

/**
 * A descriptor, which stays as it is: it may be shared with the shell, whose writes would fail if
 * it was made non-blocking. A terminal, or a pipe that others fill in the same instant, can still
 * hold up a write.
 */
export function outputOf(descriptor: number): Output {
  let isWritable: Output["isWritable"] | undefined;
  return {
    isWritable: (withinMs) => {
      // Bound at the first line, because most commands write none.
      isWritable ??= writability(descriptor);
      return isWritable(withinMs);
    },
    write: (bytes) => writeSync(descriptor, bytes),
  };
}

/** What is left to write of a line, or of several. */
interface Begun {
  readonly bytes: Uint8Array;
  /** How many lines are lost, at most, if it is not written. */
  readonly lines: number;
}

const LINE_BREAK = Buffer.from("\n");

const afterAWhile = (work: () => void) => void setTimeout(work, RETRY_AFTER_MS).unref();

export class LogWriter {
  /** Makes the line that tells how many were dropped. */
  droppedLine = (count: number): string => `log lines dropped count=${count}`;
  private readonly output: Output;
  private readonly now: () => number;
  private readonly later: (work: () => void) => void;
  private readonly waiting = new Queue<Uint8Array>();
  private waitingBytes = 0;
  private begun: Begun | undefined;
  /** Whether the last byte that was written is no line break. */
  private isMidLine = false;
  private dropped = 0;
  private isRetrying = false;

  constructor(output: Output, now = () => performance.now(), later = afterAWhile) {
    this.output = output;
    this.now = now;
    this.later = later;
  }

  /** Writes a line, given without its line break, or as much as is taken without waiting. */
  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    this.waiting.add(bytes);
    this.waitingBytes += bytes.length;
    this.drain();
    while (this.waitingBytes > WAITING_BYTES_MAX) {
      this.waitingBytes -= this.waiting.take()!.length;
      this.dropped++;
    }
    this.retryLater();
  }

  /** Writes what waits, to be called before the process ends; takes FINISH_MS_MAX at most. */
  finish(): void {
    this.drain(this.now() + FINISH_MS_MAX);
  }

  private get isEmpty(): boolean {
    return this.begun === undefined && this.waiting.size === 0;
  }

  private retryLater(): void {
    if (this.isEmpty || this.isRetrying) return;
    this.isRetrying = true;
    this.later(() => {
      this.isRetrying = false;
      this.drain();
      this.retryLater();
    });
  }

  /** Writes as long as that needs no waiting, or until a time. */
  private drain(untilMs = 0): void {
    while (!this.isEmpty) {
      const withinMs = Math.max(0, Math.ceil(untilMs - this.now()));
      const isTaken = this.output.isWritable(withinMs) && this.writePiece();
      if (!isTaken && withinMs === 0) return;
    }
  }

  /** Writes the next piece of a line. Answers false if the output is full. */
  private writePiece(): boolean {
    const begun = this.begun ?? this.takeLines();
    this.begun = begun;
    try {
      const written = this.output.write(begun.bytes.subarray(0, PIECE_BYTES_MAX));
      const bytes = begun.bytes.subarray(written);
      this.begun = bytes.length > 0 ? { ...begun, bytes } : undefined;
      this.isMidLine = bytes.length > 0;
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
      this.dropAll(begun);
      return true;
    }
  }

  /** Takes the oldest line, and those after it that go into the same piece. */
  private takeLines(): Begun {
    // A line that broke off for good must not look like the beginning of the next.
    const taken: Uint8Array[] = this.isMidLine ? [LINE_BREAK] : [];
    let lines = this.dropped;
    if (lines > 0) taken.push(Buffer.from(`${this.droppedLine(lines)}\n`));
    this.dropped = 0;
    let length = taken.reduce((sum, each) => sum + each.length, 0);
    while (lines === 0 || length + (this.waiting.oldest?.length ?? Infinity) <= PIECE_BYTES_MAX) {
      const line = this.waiting.take()!;
      this.waitingBytes -= line.length;
      length += line.length;
      taken.push(line);
      lines++;
    }
    return { bytes: Buffer.concat(taken), lines };
  }

  /** The reader has left, or a disk is full: the server goes on, and the next line tries again. */
  private dropAll({ lines }: Begun): void {
    this.dropped += lines + this.waiting.size;
    while (this.waiting.take() !== undefined);
    this.waitingBytes = 0;
    this.begun = undefined;
  }
}
