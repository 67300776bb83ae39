/**
 * The shared store on PostgreSQL, or on what speaks its protocol and its SQL: one table of rows. On
 * PostgreSQL each write is one statement, so that no node ever holds a lock while it thinks, or sleeps.
 *
 * The row with the empty key counts the writes. A write raises it, which lets writes commit in the order
 * of their revisions.
 */

import { SQL } from "bun";
import { reasonOf } from "../refusal.ts";
import {
  canBeWatched,
  type Moment,
  type Reading,
  type Row,
  type SharedStore,
  StoreUnavailable,
  type Write,
  within,
} from "./shared.ts";

const TABLE = "number_dispenser";
const CHANNEL = "number_dispenser";

/** Connections of a node: what waits for a lock must not hold up what does not. */
const CONNECTIONS = 3;
/** What takes longer has failed. Then the server gives it up, too. */
const ANSWER_MS = 1500;
/** Rows asked for at a time: more would take too long for one answer. */
const PAGE_ROWS = 10_000;

/** SQLSTATEs (PostgreSQL's manual, appendix A). */
const UNDEFINED_FUNCTION = "42883";
const UNDEFINED_TABLE = "42P01";
const UNIQUE_VIOLATION = "23505";
const DUPLICATE_TABLE = "42P07";
/** Another write was quicker, and this one wrote nothing; two of them are serialization and deadlock. */
const LOST_RACES = [UNIQUE_VIOLATION, "40001", "40P01"];

/** What is asked of a server, by what it is. */
interface Dialect {
  /** Whether a write may have nothing that only PostgreSQL has. */
  readonly isPlain: boolean;
  /** What says which store and which history this is; empty where nothing does. */
  readonly identity: string;
  readonly timeline: string;
}

const POSTGRES: Dialect = {
  isPlain: false,
  identity: "(SELECT system_identifier::text FROM pg_control_system())",
  timeline: "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
};
const PLAIN: Dialect = { isPlain: true, identity: "''", timeline: "''" };

interface Found {
  readonly identity: string;
  readonly timeline: string;
  readonly now: bigint;
  readonly key: string | null;
  readonly value: string;
  readonly revision: bigint;
}

export class PostgresStore implements SharedStore {
  readonly title: string;
  private readonly url: string;
  private readonly isPlain: boolean;
  private sql: SQL;
  /** The table is there, and it is known what the server is. */
  private ready: Promise<Dialect> | undefined;
  private readonly watchers: { readonly key: string; readonly tell: () => void }[] = [];
  private isListening = false;
  private isClosed = false;

  /**
   * `isPlain`: to be used as one that only speaks PostgreSQL's protocol, with none of its own functions.
   * Throws TypeError where the URL is none.
   */
  constructor(url: string, { isPlain = false } = {}) {
    this.url = url;
    this.isPlain = isPlain;
    const { host, pathname } = new URL(url);
    this.title = `postgres://${host}${pathname}`;
    this.sql = this.connect();
  }

  private connect(): SQL {
    return new SQL({
      url: this.url,
      max: CONNECTIONS,
      bigint: true,
      connectionTimeout: ANSWER_MS / 1000,
      connection: {
        application_name: "number-dispenser",
        statement_timeout: ANSWER_MS,
        idle_in_transaction_session_timeout: ANSWER_MS,
      },
    });
  }

  read(keys: readonly string[]): Promise<Reading> {
    return this.find("n.key = ANY($1::text[])", [this.sql.array([...keys], "text")]);
  }

  async list(prefix: string, after = 0n): Promise<Reading> {
    const rows = new Map<string, Row>();
    let moment: Moment | undefined;
    for (let last = ""; ; ) {
      const where = "starts_with(n.key, $1) AND n.revision > $2 AND n.key > $3";
      const page = await this.find(where, [prefix, after, last]);
      moment ??= page.moment;
      for (const [key, row] of page.rows) {
        rows.set(key, row);
        last = key;
      }
      if (page.rows.size < PAGE_ROWS) return { moment, rows };
    }
  }

  private find(where: string, values: unknown[]): Promise<Reading> {
    return this.use(async (sql, { identity, timeline }) => {
      const found: Found[] = await sql.unsafe(
        `SELECT ${identity} AS identity, ${timeline} AS timeline, m.revision AS now,
                n.key, n.value, n.revision
         FROM ${TABLE} m LEFT JOIN ${TABLE} n ON ${where} WHERE m.key = ''
         ORDER BY n.key LIMIT ${PAGE_ROWS}`,
        values,
      );
      const rows = new Map<string, Row>();
      for (const { key, value, revision } of found) {
        if (key !== null) rows.set(key, { value, revision: BigInt(revision) });
      }
      return { moment: momentOf(found[0]), rows };
    });
  }

  async write(write: Write): Promise<Moment | undefined> {
    try {
      return await this.use((sql, dialect) =>
        dialect.isPlain ? writePlainly(sql, write) : writeAtOnce(sql, write, dialect),
      );
    } catch (error) {
      if (!LOST_RACES.includes(stateOf((error as Error).cause ?? error))) throw error;
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
    // Once it is there it reconnects by itself; where it never was, it is tried again after a success.
    this.sql
      .listen(CHANNEL, tellOf, () => tellOf(""))
      .catch(() => {
        this.isListening = false;
      });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.sql.close({ timeout: 0 });
  }

  /** Runs what asks the server. After a failure it connects anew: nobody knows what the old ones do. */
  private async use<T>(work: (sql: SQL, dialect: Dialect) => Promise<T>): Promise<T> {
    const { sql } = this;
    try {
      const ready = this.ready ?? prepare(sql, this.isPlain);
      this.ready = ready;
      ready.catch(() => {
        if (this.ready === ready) this.ready = undefined;
      });
      const asked = ready.then((dialect) => work(sql, dialect));
      const result = await within(ANSWER_MS, asked);
      if (this.watchers.length > 0 && !this.isListening) this.listen();
      return result;
    } catch (error) {
      if (!LOST_RACES.includes(stateOf(error))) this.reset(sql);
      throw new StoreUnavailable(reasonOf(error), { cause: error });
    }
  }

  private reset(sql: SQL): void {
    if (sql !== this.sql || this.isClosed) return;
    this.ready = undefined;
    this.sql = this.connect();
    this.isListening = false;
    sql.close({ timeout: 0 }).catch(() => {});
  }
}

/** Makes the table where it is missing, and finds out what the server is. */
async function prepare(sql: SQL, isPlain: boolean): Promise<Dialect> {
  if (!(await isThere(sql))) await create(sql);
  if (isPlain) return PLAIN;
  try {
    await sql.unsafe(`SELECT ${POSTGRES.identity}, ${POSTGRES.timeline}`);
    return POSTGRES;
  } catch (error) {
    // It is no PostgreSQL. Anything else is for the next try.
    if (stateOf(error) !== UNDEFINED_FUNCTION) throw error;
    return PLAIN;
  }
}

/** Whether the table is there, its counter included. */
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
    // Two nodes that make it at once: one of them is told that it is there.
    if (![UNIQUE_VIOLATION, DUPLICATE_TABLE].includes(stateOf(error))) throw error;
  }
  await sql.unsafe(`INSERT INTO ${TABLE} VALUES ('', '', 0) ON CONFLICT DO NOTHING`);
}

/** A write as one statement of PostgreSQL. */
async function writeAtOnce(
  sql: SQL,
  { guards, puts }: Write,
  dialect: Dialect,
): Promise<Moment | undefined> {
  const texts = (some: readonly string[]) => sql.array([...some], "text");
  // A row that must not be there is inserted: if it is there by then, nothing at all is written.
  const isNew = (key: string) => guards.get(key) === 0n;
  const keys = [...puts.keys()];
  const [fresh, known] = [keys.filter(isNew), keys.filter((key) => !isNew(key))];
  const valuesOf = (some: readonly string[]) => texts(some.map((key) => puts.get(key)!));
  const written: Found[] = await sql.unsafe(writing(dialect), [
    texts([...guards.keys()]),
    texts([...guards.values()].map(String)),
    texts(fresh),
    valuesOf(fresh),
    texts(known),
    valuesOf(known),
    texts(keys.filter(canBeWatched)),
  ]);
  return written.length === 0 ? undefined : momentOf(written[0]);
}

/**
 * Writes all or nothing, and answers no row where a guard does not hold. Locked rows are read as they
 * are committed, also where another write was waited for. It asks for synchronous commit where the
 * session has less.
 */
function writing({ identity, timeline }: Dialect): string {
  return `
    WITH guards AS (SELECT * FROM unnest($1::text[], $2::text[]) AS g (key, revision)),
    held AS (
      SELECT n.key, n.revision FROM ${TABLE} n
      WHERE n.key IN (SELECT key FROM guards) ORDER BY n.key FOR UPDATE
    ),
    counted AS (
      UPDATE ${TABLE} SET revision = revision + 1
      WHERE key = '' AND NOT EXISTS (
        SELECT 1 FROM guards g LEFT JOIN held h ON h.key = g.key
        WHERE g.revision <> coalesce(h.revision, 0)::text
      )
      RETURNING revision
    ),
    fresh AS (
      INSERT INTO ${TABLE} (key, value, revision)
      SELECT p.key, p.value, c.revision
      FROM unnest($3::text[], $4::text[]) AS p (key, value), counted c
    ),
    known AS (
      INSERT INTO ${TABLE} (key, value, revision)
      SELECT p.key, p.value, c.revision
      FROM unnest($5::text[], $6::text[]) AS p (key, value), counted c
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision
    )
    SELECT ${identity} AS identity, ${timeline} AS timeline, c.revision AS now,
      CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
           THEN set_config('synchronous_commit', 'on', true) END,
      (SELECT count(pg_notify('${CHANNEL}', key)) FROM unnest($7::text[]) AS w (key))
    FROM counted c`;
}

/** A guard did not hold: what the transaction did is rolled back. */
class LostRace extends Error {}

/** A write in statements that every SQL has. The counter is locked first: one comes after the other. */
async function writePlainly(sql: SQL, { guards, puts }: Write): Promise<Moment | undefined> {
  try {
    return await sql.begin(async (transaction) => {
      const [counter]: { revision: bigint }[] = await transaction.unsafe(
        `UPDATE ${TABLE} SET revision = revision + 1 WHERE key = '' RETURNING revision`,
      );
      if (counter === undefined) throw lostCounter();
      for (const [key, expected] of guards) {
        const [row]: { revision: bigint }[] = await transaction.unsafe(
          `SELECT revision FROM ${TABLE} WHERE key = $1`,
          [key],
        );
        if (BigInt(row?.revision ?? 0) !== expected) throw new LostRace();
      }
      for (const [key, value] of puts) {
        await transaction.unsafe(
          `INSERT INTO ${TABLE} (key, value, revision) VALUES ($1, $2, $3)
           ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
          [key, value, counter.revision],
        );
      }
      return { identity: "", timeline: "", revision: BigInt(counter.revision) };
    });
  } catch (error) {
    if (error instanceof LostRace) return undefined;
    throw error;
  }
}

/** The SQLSTATE of an error that the server answered; empty for others. */
function stateOf(error: unknown): string {
  const { errno } = error as { errno?: unknown };
  return typeof errno === "string" ? errno : "";
}

function momentOf(found: Found | undefined): Moment {
  if (found === undefined) throw lostCounter();
  return { identity: found.identity, timeline: found.timeline, revision: BigInt(found.now) };
}

const lostCounter = () => new StoreUnavailable(`table ${TABLE} has lost its counter`);
