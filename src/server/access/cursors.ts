/**
 * The cursors of SCAN for users who may use some names alone. A cursor is the id of a dispenser, and
 * ids tell how many there are; so it is enciphered: a Feistel network of four rounds over 64 bits,
 * whose round function is AES-128 (Luby and Rackoff, How to Construct Pseudorandom Permutations from
 * Pseudorandom Functions, 1988). The key is drawn at the start of the server, and known to nobody.
 */

import { createCipheriv, randomBytes } from "node:crypto";

const ROUNDS = 4;
const HALF = 2n ** 32n;
const BLOCK_BYTES = 16;

export class CursorCipher {
  private readonly key = randomBytes(16);

  /** The cursor for an id; 0, which ends a scan, stays 0. */
  hide(id: number): bigint {
    if (id === 0) return 0n;
    let [left, right] = [Math.floor(id / 2 ** 32), id % 2 ** 32];
    for (let round = 0; round < ROUNDS; round++) {
      [left, right] = [right, (left ^ this.roundOf(round, right)) >>> 0];
    }
    return BigInt(left) * HALF + BigInt(right);
  }

  /** The number behind a cursor; one that hide() did not make gives a number of no dispenser. */
  reveal(cursor: bigint): number {
    if (cursor === 0n) return 0;
    let [left, right] = [Number(cursor / HALF), Number(cursor % HALF)];
    for (let round = ROUNDS - 1; round >= 0; round--) {
      [left, right] = [(right ^ this.roundOf(round, left)) >>> 0, left];
    }
    return left * 2 ** 32 + right;
  }

  private roundOf(round: number, half: number): number {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.writeUInt32LE(half);
    block.writeUInt8(round, 4);
    const cipher = createCipheriv("aes-128-ecb", this.key, null).setAutoPadding(false);
    return cipher.update(block).readUInt32LE();
  }
}
