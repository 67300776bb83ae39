/**
 * The requests that a client queues between MULTI and EXEC. EXEC runs all of them in one turn, so
 * they are in one commit: all of it reaches the disk, or nothing.
 */

import { BYTES_PER_WORD, type Ledger } from "../../resp/ledger.ts";

/**
 * What each word counts more of a command that is not fast, or that logs in or greets, as EXEC runs
 * all in one turn: 4 MiB are to take some 20 ms.
 */
const BYTES_PER_SLOW_WORD = 1024;
/** What each word of a slow command about the server counts more, whose reply is long. */
const BYTES_PER_SERVER_WORD = 16 * 1024;

/** The part of a queued request that a transaction reads. */
interface Request {
  readonly command: {
    readonly group: string;
    readonly flags: readonly string[];
    readonly needs?: "names" | "numbers";
  };
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
  /** How many numbers it will take. */
  numbers = 0;
  /** The time that EXEC will take, counted as if it were bytes. */
  private effort = 0;

  /** `memory` is told of what the queue holds. */
  constructor(bytesMax: number, memory: Ledger) {
    this.bytesMax = bytesMax;
    this.memory = memory;
  }

  /**
   * Adds a request if it fits. If it does not, answers false, and the transaction is broken; what
   * comes then is not kept.
   */
  add(queued: Queued): boolean {
    if (this.isBroken) return true;
    const words = 1 + queued.args.length;
    let bytes = BYTES_PER_WORD * words;
    for (const word of queued.args) bytes += word.length;
    this.effort += effortOf(queued);
    if (this.bytes + bytes + this.effort > this.bytesMax) {
      this.isBroken = true;
      this.release();
      return false;
    }
    this.bytes += bytes;
    if (queued.command.needs === "numbers") this.numbers += queued.args.length;
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

function effortOf({ command: { flags, group }, args }: Request): number {
  const words = 1 + args.length;
  if (flags.includes("fast") && !flags.includes("no_auth")) return 0;
  const perWord = group === "server" ? BYTES_PER_SERVER_WORD : BYTES_PER_SLOW_WORD;
  return perWord * words;
}
