/**
 * What goes wrong on the simulated disk: at one statement of the next transaction a write is
 * refused, a sync fails, or the process dies, before that statement or after it.
 */

import type { Prng } from "../../../testkit/prng.ts";
import { Died, type Interference, sqliteError } from "../../support/simulated-disk.ts";

type Kind = "dies" | "full" | "refused" | "sync fails";

interface Fault {
  readonly kind: Kind;
  /** Which statement that writes, from 0 on, or the next COMMIT. */
  readonly at: number | "COMMIT";
  readonly moment: "before" | "after";
}

/** The statements that the prng choose from: BEGIN, some rows, COMMIT, and those of the close. */
const STATEMENTS = 12;

export class Faults {
  /** Whether COMMIT went through since none(), maybe() or over() was called. */
  isCommitted = false;
  /** Whether something went wrong since then. */
  hasStruck = false;
  private fault: Fault | undefined;
  private statements = 0;
  /** So many commits are refused; Infinity: all of this life. */
  private lasting = 0;

  /** What happens around each statement of the disk. */
  readonly interfere: Interference = (sql, moment) => {
    if (moment === "after" && sql === "COMMIT") this.isCommitted = true;
    const { fault } = this;
    if (this.lasting > 0 && sql === "COMMIT" && moment === "before") {
      this.lasting--;
      this.hasStruck = true;
      throw sqliteError("SQLITE_FULL");
    }
    if (fault !== undefined && fault.moment === moment && this.isDue(fault, sql)) {
      this.fault = undefined;
      this.hasStruck = true;
      throw errorOf(fault.kind);
    }
    if (moment === "after") this.statements++;
  };

  private isDue(fault: Fault, sql: string): boolean {
    // A sync is part of COMMIT and of moving the log; a refused write leaves nothing done.
    if (fault.kind === "sync fails" && !/^COMMIT|wal_checkpoint/.test(sql)) return false;
    return fault.at === "COMMIT" ? sql === "COMMIT" : this.statements >= fault.at;
  }

  /** There is space again: nothing goes wrong in what follows. */
  none(): void {
    this.expect(undefined);
    this.lasting = 0;
  }

  /** Something may go wrong in the transactions that follow. */
  maybe(prng: Prng, kinds: readonly Kind[]): void {
    if (prng.once(15)) this.lasting = prng.once(6) ? Number.POSITIVE_INFINITY : 1 + prng.below(4);
    const kind = prng.pick(kinds);
    const canBeAfter = kind === "dies" || kind === "sync fails";
    const at = prng.once(3) ? "COMMIT" : prng.below(STATEMENTS);
    this.expect({ kind, at, moment: canBeAfter && prng.once(2) ? "after" : "before" });
  }

  private expect(fault: Fault | undefined): void {
    this.fault = fault;
    this.statements = 0;
    this.isCommitted = false;
    this.hasStruck = false;
  }

  /** The transaction is over: what was to go wrong in it does not any more. */
  over(): void {
    this.expect(undefined);
  }
}

function errorOf(kind: Kind): Error {
  switch (kind) {
    case "dies":
      return new Died();
    case "full":
      return sqliteError("SQLITE_FULL");
    case "refused":
      return sqliteError("SQLITE_IOERR_WRITE");
    case "sync fails":
      return sqliteError("SQLITE_IOERR_FSYNC");
  }
}
