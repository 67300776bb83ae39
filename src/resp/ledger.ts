/**
 * The books on the memory that a client makes the server keep. Whatever keeps bytes for a client
 * enters them here, at the one place where it takes or gives back a buffer.
 */

/** Is told of each change of the memory held, in bytes; negative for memory given back. */
export interface Ledger {
  add(bytes: number): void;
}

/**
 * About the memory that a word of a request takes in addition to its bytes: 60 to 140 were measured,
 * with what the garbage collector has not taken back yet.
 */
export const BYTES_PER_WORD = 96;

/** For buffers that belong to no client. */
export const NO_LEDGER: Ledger = { add() {} };

/**
 * There is no room for what a client wants: a limit is reached, or the process gets no memory. It
 * is the end of that client's connection, and of nothing else.
 */
export class NoRoom extends Error {
  override readonly name = "NoRoom";
  /** The sizes that are the reason, for the log. */
  readonly sizes: Readonly<Record<string, number>>;

  constructor(reason: string, sizes: Readonly<Record<string, number>>) {
    super(reason);
    this.sizes = sizes;
  }
}

/** A buffer of so many bytes with any content. Throws NoRoom if the process gets no memory. */
export function allocate(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch {
    throw new NoRoom("the process gets no memory for it", { bytes });
  }
}

/** Smaller buffers are left to the garbage collector. */
const FREED_BYTES_MIN = 16 * 1024;

/**
 * Gives the memory of a large buffer back at once: the garbage collector would do so much later, and
 * by then the process has several times what is counted. Nobody may use the buffer any more. Does
 * nothing with one that is part of another.
 */
export function free(buffer: Buffer): void {
  // To ask for the memory of a small one costs more than all else that is done with it.
  if (buffer.length < FREED_BYTES_MIN) return;
  const memory = buffer.buffer as ArrayBuffer;
  if (buffer.length === memory.byteLength) memory.transfer(0);
}
