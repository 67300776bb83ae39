/** Dispensers that sleep: what stands on disk of them, as plain numbers in typed arrays, by row of the names. */

import type { Definition } from "../dispenser/definition.ts";
import type { Account, Recovered } from "../dispenser/reservation.ts";
import type { StoredDispenser } from "../storage/store.ts";
import { grown } from "./name-index.ts";

/** Numbers a row: reserved, generated and the end of its segment. */
const NUMBERS = 3;
/** How much of them there is. */
const NO_ACCOUNT = 0;
const NO_SEGMENT = 1;
const ALL = 2;

/** What stands on disk of dispensers that lost nothing, by row. */
export class DormantDispensers {
  private numbers: BigUint64Array;
  private kept: Uint8Array;

  constructor(room: number) {
    this.numbers = new BigUint64Array(NUMBERS * room);
    this.kept = new Uint8Array(room);
  }

  /**
   * Not one that lost numbers in a crash: it must be told of, and written. Nor one with a share of its
   * own.
   */
  static mayHold({ account, definition, allocation }: StoredDispenser): boolean {
    if (allocation !== undefined) return false;
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
    const rows = 2 * row + 1;
    this.kept = grown(this.kept, new Uint8Array(rows));
    this.numbers = grown(this.numbers, new BigUint64Array(NUMBERS * rows));
  }
}

/** What of a line that lost nothing else is wasted. */
function wastedOf(counts: Omit<Account, "wasted">, { type }: Definition): bigint {
  return type.hasPositions ? counts.reserved - counts.generated : 0n;
}
