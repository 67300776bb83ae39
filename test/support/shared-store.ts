/** A shared store of this process, as several nodes have it, which fails when told to. */

import { Database } from "bun:sqlite";
import {
  type Moment,
  type Reading,
  type SharedStore,
  StoreUnavailable,
  type Write,
} from "../../src/store/shared.ts";
import { SqliteSharedStore } from "../../src/store/shared-sqlite.ts";

export class SharedRows {
  /** Why nothing answers; undefined while all is well. */
  away: string | undefined;
  /** Writes are done, and their answers lost. */
  losesAnswers = false;
  /** What every answer says of the store's history. */
  timeline = "1";
  calls = 0;
  private readonly database = new Database(":memory:", { strict: true, safeIntegers: true });
  private readonly stores: SqliteSharedStore[] = [];

  /** The store as one node has it. */
  open(): SharedStore {
    const store = new SqliteSharedStore(this.database, this.stores);
    this.stores.push(store);
    const moment = (of: Moment): Moment => ({ ...of, timeline: this.timeline });
    const reading = async (asked: Promise<Reading>) => {
      const found = await asked;
      return { ...found, moment: moment(found.moment) };
    };
    return {
      title: "shared rows",
      read: async (keys) => this.answer(() => reading(store.read(keys))),
      list: async (prefix, after) => this.answer(() => reading(store.list(prefix, after))),
      write: async (write: Write) => {
        const written = await this.answer(() => store.write(write));
        if (this.losesAnswers) throw new StoreUnavailable("the answer was lost");
        return written && moment(written);
      },
      watch: (key, tell) => store.watch(key, tell),
      close: () => store.close(),
    };
  }

  /** What stands there now; what it answers makes the store forget all that was written since. */
  save(): () => void {
    const rows = this.database.query("SELECT * FROM rows").values() as [string, string, bigint][];
    return () => {
      this.database.run("DELETE FROM rows");
      for (const row of rows) this.database.run("INSERT INTO rows VALUES (?, ?, ?)", row);
    };
  }

  private answer<T>(ask: () => Promise<T>): Promise<T> {
    this.calls++;
    if (this.away !== undefined) throw new StoreUnavailable(this.away);
    return ask();
  }
}
