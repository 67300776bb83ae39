/**
 * What a client gathers between MULTI and EXEC. EXEC runs all of it in one turn, so what it stages
 * is one commit: on disk all of it, or none.
 */

/** Beside its bytes each word counts so many more, which is about what keeping it costs. */
const BYTES_PER_WORD = 64;
/** What asks for the server counts as much as it answers: EXEC runs all of it without a pause. */
const BYTES_PER_SERVER_COMMAND = 4096;

/** What a transaction has to know of a request: the words, and the group of its command. */
interface Request {
  readonly command: { readonly group: string };
  readonly args: readonly string[];
}

export class Transaction<Queued extends Request> {
  readonly queue: Queued[] = [];
  /** Whether a request was refused: EXEC then runs none. */
  isBroken = false;
  private readonly bytesMax: number;
  /** What is queued, as the limit counts it. */
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Adds a request. Whether it still fits; if not, the transaction is broken and holds nothing. */
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
