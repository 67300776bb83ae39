/**
 * The replies of one connection until they are sent, in the order of the requests. A reply that
 * depends on a commit is held, and all later ones wait behind it; if the commit fails, the held
 * replies become errors.
 *
 * Invariant: nothing at or behind the first held reply is sent.
 */

import { Replies } from "../../resp/encode.ts";
import type { DiskUnavailable } from "../../storage/store.ts";

/** A held reply is three numbers: its start, its end, and the commit it waits for. */
const HOLD_NUMBERS = 3;

/** The part of Bun.Socket that sends. */
export interface Transport {
  /** Answers how many bytes were accepted; negative if the socket is closed. */
  write(bytes: Uint8Array, from: number, count: number): number;
}

export class ReplyBuffer {
  readonly replies = new Replies();
  /** How many bytes of the replies are sent. */
  private sent = 0;
  private holds: number[] = [];

  /** How many bytes are not sent yet. */
  get unsent(): number {
    return this.replies.length - this.sent;
  }

  get isHolding(): boolean {
    return this.holds.length > 0;
  }

  /** Holds the replies from `start` on until commit number `commit` is over. */
  hold(start: number, commit: number): void {
    this.holds.push(start, this.replies.length, commit);
  }

  /** Removes the replies from `start` on. */
  discard(start: number): void {
    this.replies.length = start;
    while (this.holds.length > 0 && this.holds.at(-HOLD_NUMBERS)! >= start) {
      this.holds.length -= HOLD_NUMBERS;
    }
  }

  /** Commit number `commit` is over: releases what waited for it; after a failure, as errors. */
  commitEnded(commit: number, failure: DiskUnavailable | undefined): void {
    let settled = 0;
    while (settled < this.holds.length && this.holds[settled + 2]! <= commit)
      settled += HOLD_NUMBERS;
    const released = this.holds.splice(0, settled);
    if (failure !== undefined) this.rewrite(released, failure);
  }

  /** Sends everything before the first held reply. Answers how many bytes were accepted. */
  send(wire: Transport): number {
    const { replies } = this;
    const ready = this.holds.length > 0 ? this.holds[0]! : replies.length;
    let accepted = 0;
    if (ready > this.sent) {
      accepted = Math.max(0, wire.write(replies.bytes, this.sent, ready - this.sent));
      this.sent += accepted;
    }
    if (this.sent === replies.length) {
      this.sent = 0;
      replies.clear();
    }
    return accepted;
  }

  /** Drops all replies. */
  clear(): void {
    this.holds = [];
    this.sent = 0;
    this.replies.clear();
  }

  /** Replaces each of these held replies by an error. */
  private rewrite(released: readonly number[], failure: DiskUnavailable): void {
    if (released.length === 0) return;
    const { replies } = this;
    const before = replies.length;
    const bytes = Buffer.from(replies.bytes.subarray(0, before));
    let from = released[0]!;
    const releasedEnd = released.at(-2)!;
    replies.length = from;
    for (let at = 0; at < released.length; at += HOLD_NUMBERS) {
      const start = released[at]!;
      replies.raw(bytes.toString("latin1", from, start));
      replies.error(`ERR storage unavailable: ${failure.message}`);
      from = released[at + 1]!;
    }
    const shift = replies.length - releasedEnd;
    replies.raw(bytes.toString("latin1", releasedEnd, before));
    for (let at = 0; at < this.holds.length; at += HOLD_NUMBERS) {
      this.holds[at]! += shift;
      this.holds[at + 1]! += shift;
    }
  }
}
