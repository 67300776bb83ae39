/** What was received of a line of a cluster, from all nodes: no number twice, and in order on each. */

/** An invariant is broken. */
export class Repeated extends Error {}

export class Received {
  readonly name: string;
  count = 0;
  /** A bit for each position. */
  private bits = new Uint8Array(1024);

  constructor(name: string) {
    this.name = name;
  }

  /** A number was received; the line counts from 0 by 1. */
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

/** What one node handed out of a line: it rises. */
export class NodeOrder {
  private readonly received: Received;
  private readonly node: string;
  /** The largest that was received. */
  largest = -1;

  constructor(received: Received, node: string) {
    this.received = received;
    this.node = node;
  }

  /** A number was received that was asked for when `floor` was the largest. */
  add(number: number, floor: number): void {
    if (number <= floor) {
      throw new Repeated(`${this.received.name} on ${this.node}: ${number} after ${floor}`);
    }
    this.received.add(number);
    if (number > this.largest) this.largest = number;
  }
}
