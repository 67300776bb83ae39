/** A ledger that tells what is held. */

import type { Ledger } from "../../src/resp/ledger.ts";

export class Books implements Ledger {
  held = 0;

  add(bytes: number): void {
    this.held += bytes;
  }
}
