/** The numbers received of a cluster's line: none may come twice, and each node's have to rise. */

/** An invariant is broken. */
export class Repeated extends Error {}

export class Received {
  readonly name: string;
  count = 0;
  /** A bit for each position that was received. */
  private bits = new Uint8Array(1024);

  constructor(name: string) {
    this.name = name;
  }

  /** Adds a number that was received; the line counts from 0 by 1. Throws Repeated. */
  add(number: number): void {
    const index = number >> 3;
    if (index >= this.bits.length) {
      const grown = new Uint8Array(2 * index + 1);
      grown.set(this.bits);
      this.bits = grown;
    }
    const bit = 1 << (number & 7);
    if ((this.bits[index]! & bit) !== 0) throw new Repeated(`${this.name}: ${number} came twice`);
    this.bits[index]! |= bit;
    this.count++;
  }
}

/** The numbers that one node handed out of a line, which have to rise. */
export class NodeOrder {
  private readonly received: Received;
  private readonly node: string;
  /** The largest number received. */
  largest = -1;

  constructor(received: Received, node: string) {
    this.received = received;
    this.node = node;
  }

  /** Adds a received number; `floor` is the largest that was known when it was asked for. */
  add(number: number, floor: number): void {
    if (number <= floor) {
      throw new Repeated(`${this.received.name} on ${this.node}: ${number} after ${floor}`);
    }
    this.received.add(number);
    if (number > this.largest) this.largest = number;
  }
}
