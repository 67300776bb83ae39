/**
 * A lease store on SQLite, for the nodes of one process: the reference for the real lease stores in
 * tests and in the simulation.
 */

import { Database } from "bun:sqlite";
import type {
  LeaseStore,
  Row,
  Snapshot,
  StoreVersion,
  Write,
} from "../../src/cluster/stores/store.ts";

interface Found {
  readonly key: string;
  readonly value: string;
  readonly revision: bigint;
}

export class SqliteSharedStore implements LeaseStore {
  readonly title = "sqlite";
  private readonly database: Database;
  private readonly siblings: readonly SqliteSharedStore[];
  private readonly watchers: { readonly key: string; readonly tell: () => void }[] = [];

  /** `siblings` are the other stores on the same database, whose watchers are also told. */
  constructor(
    database = new Database(":memory:", { strict: true, safeIntegers: true }),
    siblings: readonly SqliteSharedStore[] = [],
  ) {
    this.database = database;
    this.siblings = siblings;
    database.run(
      `CREATE TABLE IF NOT EXISTS rows (
         key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL
       ) STRICT`,
    );
    database.run("CREATE TABLE IF NOT EXISTS counter (revision INTEGER NOT NULL) STRICT");
    database.run("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT * FROM counter)");
  }

  async read(keys: readonly string[]): Promise<Snapshot> {
    const found = keys.flatMap((key) => this.find("key = ?", key));
    return { version: this.version, rows: byKey(found) };
  }

  async list(prefix: string, after = 0n): Promise<Snapshot> {
    const found = this.find(
      "substr(key, 1, length(?)) = ? AND revision > ?",
      prefix,
      prefix,
      after,
    );
    return { version: this.version, rows: byKey(found) };
  }

  async write({ guards, puts, removes = [] }: Write): Promise<StoreVersion | undefined> {
    for (const [key, revision] of guards) {
      const [found] = this.find("key = ?", key);
      if ((found?.revision ?? 0n) !== revision) return undefined;
    }
    const revision = this.version.revision + 1n;
    this.database.transaction(() => {
      this.database.run("UPDATE counter SET revision = ?", [revision]);
      for (const key of removes) this.database.run("DELETE FROM rows WHERE key = ?", [key]);
      for (const [key, value] of puts) {
        this.database.run("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", [key, value, revision]);
      }
    })();
    for (const store of new Set([this, ...this.siblings])) {
      for (const { key, tell } of store.watchers) if (puts.has(key)) tell();
    }
    return this.version;
  }

  watch(key: string, tell: () => void): void {
    this.watchers.push({ key, tell });
  }

  async close(): Promise<void> {}

  private find(where: string, ...values: (string | bigint)[]): Found[] {
    return this.database
      .query<Found, typeof values>(`SELECT * FROM rows WHERE ${where}`)
      .all(...values);
  }

  private get version(): StoreVersion {
    const { revision } = this.database
      .query<{ revision: bigint }, []>("SELECT revision FROM counter")
      .get()!;
    return { identity: "sqlite", timeline: "1", term: "1", revision, isRestored: false };
  }
}

function byKey(found: readonly Found[]): Map<string, Row> {
  return new Map(found.map(({ key, value, revision }) => [key, { value, revision }]));
}
