/**
 * The replies of one connection until they are sent, in the order of the requests. A reply that
 * depends on a commit is held, and all later ones wait behind it; if the commit fails, the held
 * replies become errors.
 *
 * Invariant: nothing at or behind the first held reply is sent, nor anything of a reply under way.
 */

import { Replies } from "../../resp/encode.ts";
import type { Ledger } from "../../resp/ledger.ts";
import type { DiskUnavailable } from "../../storage/store.ts";

/** A held reply is three numbers: its start, its end, and the commit it waits for. */
const HOLD_NUMBERS = 3;
/** The most bytes of a header: a sign, 16 digits, CRLF, and "txt:" of a verbatim string. */
const HEADER_BYTES_MAX = 23;
/** Sent bytes are removed in front of unsent ones only if they are so many. */
const SENT_REMOVED_MIN = 64 * 1024;
const NONE_OPEN = Number.POSITIVE_INFINITY;

/** The part of Bun.Socket that sends. */
export interface Transport {
  /** Answers how many bytes were accepted; negative if the socket is closed. */
  write(bytes: Uint8Array, from: number, count: number): number;
}

export class ReplyBuffer {
  readonly replies: Replies;
  /** How many bytes of the replies are sent. */
  private sent = 0;
  private holds: number[] = [];
  /** Where the reply begins that is being made over several turns; NONE_OPEN if none is. */
  private openFrom = NONE_OPEN;
  /** Where room was left for its header. */
  private headerAt = 0;

  /** There are at most `bytesMax()` bytes of replies at a time that are not sent. */
  constructor(ledger: Ledger, bytesMax: () => number) {
    this.replies = new Replies(ledger, bytesMax, () => this.sent);
  }

  /** How many bytes of the replies are not sent yet. */
  get unsent(): number {
    return this.replies.length - this.sent;
  }

  get isHolding(): boolean {
    return this.holds.length > 0;
  }

  /** The reply from `start` on is made over several turns: nothing of it is sent until close(). */
  open(start: number): void {
    this.openFrom = start;
  }

  /** The reply under way is whole. Answers where it begins. */
  close(): number {
    const start = Math.min(this.openFrom, this.replies.length);
    this.openFrom = NONE_OPEN;
    return start;
  }

  /** Drops the reply under way, and everything else that is not to be sent. */
  dropOpen(): void {
    if (this.openFrom !== NONE_OPEN) this.discard(this.close());
  }

  /** Leaves room for the header of a reply whose length is not known yet. */
  leaveRoom(): void {
    this.headerAt = this.replies.length;
    this.replies.skip(HEADER_BYTES_MAX);
  }

  /** How many bytes were appended behind the room for the header. */
  get bytesBehindRoom(): number {
    return this.replies.length - this.headerAt - HEADER_BYTES_MAX;
  }

  /**
   * Writes the header at the end of the room left for it, and moves what is unsent in front of it
   * there. Answers by how many bytes that moved.
   */
  fillRoom(header: string): number {
    const { replies, headerAt, sent } = this;
    const moved = HEADER_BYTES_MAX - header.length;
    replies.bytes.copyWithin(sent + moved, sent, headerAt);
    replies.bytes.write(header, headerAt + moved, "latin1");
    this.shift(moved);
    return moved;
  }

  /** All that is unsent begins so many bytes later. */
  private shift(bytes: number): void {
    this.sent += bytes;
    this.openFrom += bytes;
    for (let at = 0; at < this.holds.length; at += HOLD_NUMBERS) {
      this.holds[at]! += bytes;
      this.holds[at + 1]! += bytes;
    }
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
    const ready = this.holds.length > 0 ? this.holds[0]! : Math.min(replies.length, this.openFrom);
    let accepted = 0;
    if (ready > this.sent) {
      accepted = Math.max(0, wire.write(replies.bytes, this.sent, ready - this.sent));
      this.sent += accepted;
    }
    if (this.sent === replies.length) {
      this.sent = 0;
      if (this.openFrom !== NONE_OPEN) this.openFrom = 0;
      replies.clear();
    } else if (this.sent >= SENT_REMOVED_MIN && 2 * this.sent >= replies.length) {
      this.removeSent();
    }
    return accepted;
  }

  /** Removes what is sent, so that a client that reads slowly does not let the buffer grow. */
  private removeSent(): void {
    const { replies, sent } = this;
    replies.bytes.copyWithin(0, sent, replies.length);
    replies.length -= sent;
    this.headerAt -= sent;
    this.shift(-sent);
  }

  /** Drops all replies. */
  clear(): void {
    this.holds = [];
    this.sent = 0;
    this.openFrom = NONE_OPEN;
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
    this.headerAt += shift;
    this.openFrom += shift;
    for (let at = 0; at < this.holds.length; at += HOLD_NUMBERS) {
      this.holds[at]! += shift;
      this.holds[at + 1]! += shift;
    }
  }
}
