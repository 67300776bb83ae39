/**
 * The requests that a client queues between MULTI and EXEC. EXEC runs all of them in one turn, so
 * they are in one commit: all of it reaches the disk, or nothing.
 */

import { BYTES_PER_WORD, type Ledger } from "../../resp/ledger.ts";

/** What each word of a command that is not fast counts more, as EXEC runs all in one turn. */
const BYTES_PER_SLOW_WORD = 1024;
/** What a command about the server counts more, whose reply is long. */
const BYTES_PER_SERVER_COMMAND = 4096;

/** The part of a queued request that a transaction reads. */
interface Request {
  readonly command: { readonly group: string; readonly flags: readonly string[] };
  readonly args: readonly string[];
}

export class Transaction<Queued extends Request> {
  readonly queue: Queued[] = [];
  /** Whether a request was refused; EXEC then runs none. */
  isBroken = false;
  private readonly bytesMax: number;
  private readonly memory: Ledger;
  /** The size of the queue, about the memory it takes. */
  bytes = 0;
  /** The time that EXEC will take, counted as if it were bytes. */
  private effort = 0;

  /** `memory` is told of what the queue holds. */
  constructor(bytesMax: number, memory: Ledger) {
    this.bytesMax = bytesMax;
    this.memory = memory;
  }

  /** Adds a request if it fits. If it does not, answers false, and the transaction is broken. */
  add(queued: Queued): boolean {
    const words = 1 + queued.args.length;
    let bytes = BYTES_PER_WORD * words;
    for (const word of queued.args) bytes += word.length;
    if (!queued.command.flags.includes("fast")) this.effort += BYTES_PER_SLOW_WORD * words;
    if (queued.command.group === "server") this.effort += BYTES_PER_SERVER_COMMAND;
    if (this.bytes + bytes + this.effort > this.bytesMax) {
      this.isBroken = true;
      this.release();
      return false;
    }
    this.bytes += bytes;
    this.memory.add(bytes);
    this.queue.push(queued);
    return true;
  }

  /** Forgets the requests. */
  release(): void {
    this.queue.length = 0;
    this.memory.add(-this.bytes);
    this.bytes = 0;
  }
}
