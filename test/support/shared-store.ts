/** A lease store in this process for several nodes, which a test can make fail. */

import { Database } from "bun:sqlite";
import { CLUSTER, encode, NAMES } from "../../src/cluster/stores/records.ts";
import {
  type LeaseStore,
  LeaseStoreUnavailable,
  type Snapshot,
  type StoreVersion,
  type Write,
} from "../../src/cluster/stores/store.ts";
import { SqliteSharedStore } from "./shared-sqlite.ts";

export class SharedRows {
  /** The reason why the store does not answer; undefined while it does. */
  away: string | undefined;
  /** Makes a node's first read of matching keys fail, but not an operator's. */
  failsOnce: ((keys: readonly string[]) => boolean) | undefined;
  /** Whether writes are made but their answers are lost. */
  losesAnswers = false;
  /** The timeline that every answer reports. */
  timeline = "1";
  term = "1";
  isRestored = false;
  /** How far the store's clock is ahead of this machine's. */
  clockAheadMs = 0;
  calls = 0;
  writes = 0;
  private readonly database = new Database(":memory:", { strict: true, safeIntegers: true });
  private readonly stores: SqliteSharedStore[] = [];

  /**
   * Makes a store with a cluster in it, because founding one takes three seconds, or with the rows
   * that the statements `sql` make.
   */
  constructor({ isFounded = true, sql = "" } = {}) {
    if (sql !== "") {
      this.database.run(sql);
      new SqliteSharedStore(this.database);
      this.database.run("UPDATE counter SET revision = (SELECT max(revision) FROM rows)");
    }
    if (!isFounded || sql !== "") return;
    const id = crypto.randomUUID();
    const puts = new Map([
      [CLUSTER, encode({ id, epoch: 0, identity: "sqlite", timeline: "1", term: "1" })],
      [NAMES, encode({ lastLine: 0 })],
    ]);
    void new SqliteSharedStore(this.database).write({ guards: new Map(), puts });
  }

  /** Opens the store for one node. */
  open(): LeaseStore {
    const store = new SqliteSharedStore(this.database, this.stores);
    this.stores.push(store);
    const versionOf = (of: StoreVersion): StoreVersion => {
      const { timeline, term, isRestored } = this;
      return { ...of, timeline, term, isRestored };
    };
    const reading = async (asked: Promise<Snapshot>) => {
      const found = await asked;
      return { ...found, version: versionOf(found.version) };
    };
    return {
      title: "shared rows",
      clockMs: () => this.answer(() => Promise.resolve(Date.now() + this.clockAheadMs)),
      read: async (keys) => {
        if (keys.length > 1 && keys[0] === CLUSTER && this.failsOnce?.(keys)) {
          this.failsOnce = undefined;
          throw new LeaseStoreUnavailable("the connection was lost");
        }
        return this.answer(() => reading(store.read(keys)));
      },
      list: async (prefix, after) => this.answer(() => reading(store.list(prefix, after))),
      write: async (write: Write) => {
        this.writes++;
        const written = await this.answer(async () => {
          if (this.isRestored && !write.accepts) return undefined;
          this.isRestored = false;
          return store.write(write);
        });
        if (this.losesAnswers) throw new LeaseStoreUnavailable("the answer was lost");
        return written && versionOf(written);
      },
      watch: (key, tell) => store.watch(key, tell),
      close: () => store.close(),
    };
  }

  /** Saves the rows. Answers a function that makes the store forget all that was written since. */
  save(): () => void {
    const rows = this.database.query("SELECT * FROM rows").values() as [string, string, bigint][];
    const [[revision]] = this.database.query("SELECT revision FROM counter").values() as [[bigint]];
    return () => {
      this.database.run("DELETE FROM rows");
      this.database.run("UPDATE counter SET revision = ?", [revision]);
      for (const row of rows) this.database.run("INSERT INTO rows VALUES (?, ?, ?)", row);
    };
  }

  /** Removes all rows. */
  empty(): void {
    this.database.run("DELETE FROM rows");
    this.database.run("UPDATE counter SET revision = 0");
  }

  private answer<T>(ask: () => Promise<T>): Promise<T> {
    this.calls++;
    if (this.away !== undefined) throw new LeaseStoreUnavailable(this.away);
    return ask();
  }
}
