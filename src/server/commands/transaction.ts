/**
 * The requests that a client queues between MULTI and EXEC. EXEC runs all of them in one turn, so
 * they are in one commit: all of it reaches the disk, or nothing.
 */

/** The overhead that each word counts in addition to its bytes, about the memory it takes. */
const BYTES_PER_WORD = 64;
/** The size that a server command counts for its long reply: EXEC runs all of them in one turn. */
const BYTES_PER_SERVER_COMMAND = 4096;

/** The part of a queued request that a transaction reads. */
interface Request {
  readonly command: { readonly group: string };
  readonly args: readonly string[];
}

export class Transaction<Queued extends Request> {
  readonly queue: Queued[] = [];
  /** Whether a request was refused; EXEC then runs none. */
  isBroken = false;
  private readonly bytesMax: number;
  /** The size of the queue, as the limit counts it. */
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Adds a request if it fits. If it does not, answers false, and the transaction is broken. */
  add(queued: Queued): boolean {
    for (const word of queued.args) this.bytes += word.length;
    this.bytes += BYTES_PER_WORD * (1 + queued.args.length);
    if (queued.command.group === "server") this.bytes += BYTES_PER_SERVER_COMMAND;
    if (this.bytes > this.bytesMax) {
      this.isBroken = true;
      this.queue.length = 0;
      return false;
    }
    this.queue.push(queued);
    return true;
  }
}
