/**
 * The lease store on PostgreSQL, or on a database with its protocol and its SQL: one table of rows.
 * On PostgreSQL each write is one statement, so that no node holds a lock while it computes or is
 * suspended.
 *
 * The row with the empty key counts the writes. Each write raises it, so writes commit in the order
 * of their revisions.
 */

import type { SQL } from "bun";
import { CannotStart } from "../../base/errors.ts";
import { readServiceUrl, shownText } from "../../base/secrets.ts";
import { notInTime, whyPostgres } from "./failures.ts";
import { PostgresPool } from "./postgres-pool.ts";
import {
  CHANNEL,
  type Dialect,
  type Found,
  isLostRace,
  isRestoredByXmin,
  selfOf,
  stateOf,
  TABLE,
  UNDEFINED_FUNCTION,
  UNIQUE_VIOLATION,
  versionOf,
  writeAtOnce,
  writeOrigin,
  writePlainly,
} from "./postgres-writes.ts";
import {
  type LeaseStore,
  LeaseStoreUnavailable,
  type Row,
  type Snapshot,
  type StoreVersion,
  type Write,
  withTimeout,
} from "./store.ts";

const DEFAULT_PORT = 5432;
/** A call that takes longer has failed; the server cancels it after the same time. */
const ANSWER_MS = 1500;
/** Rows asked for at a time: an answer with more could take too long. */
const PAGE_ROWS = 10_000;

/** SQLSTATEs (PostgreSQL's manual, appendix A). */
const UNDEFINED_TABLE = "42P01";
const DUPLICATE_TABLE = "42P07";

const POSTGRES: Dialect = {
  isPlain: false,
  identity: "(SELECT system_identifier::text FROM pg_control_system())",
  timeline: "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
  // As a number, because a text would depend on the session's time zone.
  term: "extract(epoch FROM pg_postmaster_start_time())::text",
  isRestored: isRestoredByXmin,
};
const PLAIN: Dialect = {
  isPlain: true,
  identity: "''",
  timeline: "''",
  term: "''",
  isRestored: "false",
};

export class PostgresStore implements LeaseStore {
  readonly title: string;
  private readonly url: string;
  private readonly isPlain: boolean;
  /** The host:port of the server. */
  private readonly place: string;
  private pool: PostgresPool;
  /** Resolves once the table exists and the server's dialect is known. */
  private ready: Promise<Dialect> | undefined;
  /** How many connections the pool had lost when that was begun. */
  private lossesKnown = 0;
  private readonly watchers: { readonly key: string; readonly tell: () => void }[] = [];
  private isListening = false;
  /** Whether the server could be used once. */
  private wasReady = false;
  private isClosed = false;

  /**
   * `isPlain`: use nothing but plain SQL, as if the server only spoke PostgreSQL's protocol. Throws
   * TypeError if the URL is not valid.
   */
  constructor(url: string, { isPlain = false } = {}) {
    this.url = url;
    this.isPlain = isPlain;
    this.title = shownText(url);
    const host = readServiceUrl(url)?.hosts[0] ?? "";
    this.place = /:\d+$/.test(host) ? host : `${host}:${DEFAULT_PORT}`;
    this.pool = new PostgresPool(url, ANSWER_MS);
  }

  clockMs(): Promise<number> {
    return this.use(async (sql) => {
      const [row]: { now: unknown }[] = await sql.unsafe(
        "SELECT extract(epoch FROM clock_timestamp()) AS now",
      );
      return Number(row!.now) * 1000;
    });
  }

  read(keys: readonly string[]): Promise<Snapshot> {
    return this.find("n.key = ANY($1::text[])", (sql) => [sql.array([...keys], "text")]);
  }

  async list(prefix: string, after = 0n): Promise<Snapshot> {
    const rows = new Map<string, Row>();
    let version: StoreVersion | undefined;
    for (let last = ""; ; ) {
      const where = "starts_with(n.key, $1) AND n.revision > $2 AND n.key > $3";
      const page = await this.find(where, () => [prefix, after, last]);
      version ??= page.version;
      for (const [key, row] of page.rows) {
        rows.set(key, row);
        last = key;
      }
      if (page.rows.size < PAGE_ROWS) return { version, rows };
    }
  }

  private find(where: string, valuesFor: (sql: SQL) => unknown[]): Promise<Snapshot> {
    return this.use(async (sql, dialect) => {
      const found: Found[] = await sql.unsafe(
        `SELECT ${selfOf(dialect)}, m.revision AS now, n.key, n.value, n.revision
         FROM ${TABLE} m LEFT JOIN ${TABLE} n ON ${where} WHERE m.key = ''
         ORDER BY n.key LIMIT ${PAGE_ROWS}`,
        valuesFor(sql),
      );
      const rows = new Map<string, Row>();
      for (const { key, value, revision } of found) {
        if (key !== null) rows.set(key, { value, revision: BigInt(revision) });
      }
      return { version: versionOf(found[0]), rows };
    });
  }

  async write(write: Write): Promise<StoreVersion | undefined> {
    try {
      return await this.use((sql, dialect) =>
        dialect.isPlain ? writePlainly(sql, write) : writeAtOnce(sql, write, dialect),
      );
    } catch (error) {
      if (!isLostRace((error as Error).cause ?? error)) throw error;
      return undefined;
    }
  }

  watch(key: string, tell: () => void): void {
    this.watchers.push({ key, tell });
    if (!this.isListening) this.listen();
  }

  private listen(): void {
    const tellOf = (written: string) => {
      for (const { key, tell } of this.watchers) if (written === key || written === "") tell();
    };
    this.isListening = true;
    // Bun reconnects a LISTEN that succeeded once; one that never did is tried again after the next
    // success.
    this.pool
      .listen(CHANNEL, tellOf, () => tellOf(""))
      .catch(() => {
        this.isListening = false;
      });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.pool.close();
  }

  /**
   * Runs work that asks the server. After a failure it connects anew: the state of the old
   * connections is unknown.
   */
  private async use<T>(work: (sql: SQL, dialect: Dialect) => Promise<T>): Promise<T> {
    const { pool } = this;
    try {
      // A connection that was lost leads elsewhere perhaps, once it is made anew.
      if (pool.losses !== this.lossesKnown) this.ready = undefined;
      this.lossesKnown = pool.losses;
      const ready = this.ready ?? this.prepare(pool);
      this.ready = ready;
      ready.catch(() => {
        if (this.ready === ready) this.ready = undefined;
      });
      const asked = ready.then((dialect) => pool.run((sql) => work(sql, dialect)));
      const result = await withTimeout(ANSWER_MS, notInTime(this.place, ANSWER_MS), asked);
      this.wasReady = true;
      if (this.watchers.length > 0 && !this.isListening) this.listen();
      return result;
    } catch (error) {
      if (!isLostRace(error)) this.reset(pool);
      if (error instanceof CannotStart) throw error;
      throw new LeaseStoreUnavailable(await whyPostgres(error, this.place), { cause: error });
    }
  }

  private async prepare(pool: PostgresPool): Promise<Dialect> {
    if (await pool.sharesSessions()) {
      const reason =
        `${this.place} is a pooler whose clients share sessions of PostgreSQL, such as PgBouncer with ` +
        "pool_mode = transaction: give the node pool_mode = session, or name PostgreSQL itself";
      // A node that runs waits until it is set right again.
      throw this.wasReady
        ? new LeaseStoreUnavailable(reason)
        : new CannotStart(`storage.store: ${reason}`);
    }
    return pool.run((sql) => prepare(sql, this.isPlain));
  }

  private reset(pool: PostgresPool): void {
    if (pool !== this.pool || this.isClosed) return;
    this.ready = undefined;
    this.pool = new PostgresPool(this.url, ANSWER_MS);
    this.isListening = false;
    pool.close().catch(() => {});
  }
}

/** Makes the table if it is missing, and finds out the server's dialect. */
async function prepare(sql: SQL, isPlain: boolean): Promise<Dialect> {
  if (!(await isThere(sql))) await create(sql);
  if (isPlain) return PLAIN;
  try {
    await sql.unsafe(`SELECT ${selfOf(POSTGRES)}`);
    await sql.unsafe(writeOrigin);
    return POSTGRES;
  } catch (error) {
    // A missing function: the server is not PostgreSQL. After any other error the next call tries
    // again.
    if (stateOf(error) !== UNDEFINED_FUNCTION) throw error;
    return PLAIN;
  }
}

/** Whether the table exists and has its counter. */
async function isThere(sql: SQL): Promise<boolean> {
  try {
    const found: unknown[] = await sql.unsafe(`SELECT 1 FROM ${TABLE} WHERE key = ''`);
    return found.length > 0;
  } catch (error) {
    if (stateOf(error) !== UNDEFINED_TABLE) throw error;
    return false;
  }
}

async function create(sql: SQL): Promise<void> {
  try {
    await sql.unsafe(
      `CREATE TABLE IF NOT EXISTS ${TABLE} (
         key text PRIMARY KEY, value text NOT NULL, revision bigint NOT NULL
       )`,
    );
    await sql.unsafe(`CREATE INDEX IF NOT EXISTS ${TABLE}_revision ON ${TABLE} (revision)`);
  } catch (error) {
    // If two nodes create it at once, one of them gets one of these errors.
    if (![UNIQUE_VIOLATION, DUPLICATE_TABLE].includes(stateOf(error))) throw error;
  }
  await sql.unsafe(`INSERT INTO ${TABLE} VALUES ('', '', 0) ON CONFLICT DO NOTHING`);
}
