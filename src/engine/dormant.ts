/**
 * Dormant dispensers: what the disk has of them, as plain numbers in typed arrays, by row of the
 * name index.
 */

import type { Definition } from "../dispenser/definition.ts";
import type { Account, Recovered } from "../dispenser/reservation.ts";
import type { StoredDispenser } from "../storage/store.ts";
import { CAPACITY, grown } from "./name-index.ts";

/** Numbers for each row: reserved, generated and the end of the segment. */
const NUMBERS = 3;
/** Which of them a row has. */
const NO_ACCOUNT = 0;
const NO_SEGMENT = 1;
const ALL = 2;

export class DormantDispensers {
  private numbers: BigUint64Array;
  private kept: Uint8Array;

  constructor(room: number) {
    this.numbers = new BigUint64Array(NUMBERS * room);
    this.kept = new Uint8Array(room);
  }

  /**
   * Whether a dispenser can be dormant. One that skipped numbers in a crash cannot, because these
   * must be logged and written; nor can one with an allocation or a run of its own.
   */
  static mayHold({ account, definition, allocation, run }: StoredDispenser): boolean {
    if (allocation !== undefined || run !== undefined) return false;
    return account === undefined || account.wasted === wastedOf(account, definition);
  }

  put(row: number, { account, segmentEnd }: Recovered): void {
    this.reserve(row);
    if (account === undefined) return;
    const at = NUMBERS * row;
    this.kept[row] = segmentEnd === undefined ? NO_SEGMENT : ALL;
    this.numbers[at] = account.reserved;
    this.numbers[at + 1] = account.generated;
    this.numbers[at + 2] = segmentEnd ?? 0n;
  }

  get(row: number, definition: Definition): Recovered {
    const { numbers } = this;
    const at = NUMBERS * row;
    const kept = this.kept[row]!;
    const counts = { reserved: numbers[at]!, generated: numbers[at + 1]! };
    return {
      account:
        kept === NO_ACCOUNT ? undefined : { ...counts, wasted: wastedOf(counts, definition) },
      segmentEnd: kept === ALL ? numbers[at + 2] : undefined,
    };
  }

  copy(row: number, other: DormantDispensers, from: number): void {
    this.reserve(row);
    this.kept[row] = other.kept[from]!;
    const at = NUMBERS * from;
    this.numbers.set(other.numbers.subarray(at, at + NUMBERS), NUMBERS * row);
  }

  private reserve(row: number): void {
    if (row < this.kept.length) return;
    const rows = Math.min(CAPACITY.rows, 2 * row + 1);
    this.kept = grown(this.kept, new Uint8Array(rows));
    this.numbers = grown(this.numbers, new BigUint64Array(NUMBERS * rows));
  }
}

/** The numbers that a line has wasted if it skipped none in a crash. */
function wastedOf(counts: Omit<Account, "wasted">, { type }: Definition): bigint {
  return type.hasPositions ? counts.reserved - counts.generated : 0n;
}
