/**
 * The shared store on PostgreSQL, or on what speaks its protocol and its SQL: one table of rows, each
 * write one statement, so that no node ever holds a lock while it thinks, or sleeps.
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

/** Another write was quicker; this one wrote nothing: unique_violation, serialization_failure, deadlock. */
const LOST_RACES = ["23505", "40001", "40P01"];

/** What identifies PostgreSQL and its history; others, which lack these functions, have neither. */
const POSTGRES_MOMENT = {
  identity: "(SELECT system_identifier::text FROM pg_control_system())",
  timeline: "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
};
const PLAIN_MOMENT = { identity: "''", timeline: "''" };

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
  private sql: SQL;
  /** The table is there, and it is known what says which store and history this is. */
  private ready: Promise<typeof POSTGRES_MOMENT> | undefined;
  private readonly watchers: { readonly key: string; readonly tell: () => void }[] = [];
  private isClosed = false;

  constructor(url: string) {
    this.url = url;
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
      connection: { application_name: "number-dispenser", statement_timeout: ANSWER_MS },
    });
  }

  read(keys: readonly string[]): Promise<Reading> {
    return this.find("n.key = ANY($1::text[])", [this.sql.array([...keys], "text")]);
  }

  list(prefix: string, after = 0n): Promise<Reading> {
    return this.find("starts_with(n.key, $1) AND n.key <> '' AND n.revision > $2", [prefix, after]);
  }

  private find(where: string, values: unknown[]): Promise<Reading> {
    return this.use(async (sql, { identity, timeline }) => {
      const found: Found[] = await sql.unsafe(
        `SELECT ${identity} AS identity, ${timeline} AS timeline, m.revision AS now,
                n.key, n.value, n.revision
         FROM ${TABLE} m LEFT JOIN ${TABLE} n ON ${where} WHERE m.key = ''`,
        values,
      );
      const rows = new Map<string, Row>();
      for (const { key, value, revision } of found) {
        if (key !== null) rows.set(key, { value, revision });
      }
      return { moment: momentOf(found[0]), rows };
    });
  }

  async write({ guards, puts }: Write): Promise<Moment | undefined> {
    // A row that must not be there is inserted: if it is there by then, nothing at all is written.
    const isNew = (key: string) => guards.get(key) === 0n;
    const keys = [...puts.keys()];
    const fresh = keys.filter(isNew);
    const known = keys.filter((key) => !isNew(key));
    const valuesOf = (some: readonly string[]) => some.map((key) => puts.get(key)!);
    try {
      return await this.use(async (sql, { identity, timeline }) => {
        const texts = (some: readonly string[]) => sql.array([...some], "text");
        const revisions = [...guards.values()].map(String);
        const written: Found[] = await sql.unsafe(writing(identity, timeline), [
          texts([...guards.keys()]),
          texts(revisions),
          texts(fresh),
          texts(valuesOf(fresh)),
          texts(known),
          texts(valuesOf(known)),
          texts(keys.filter(canBeWatched)),
        ]);
        return written.length === 0 ? undefined : momentOf(written[0]);
      });
    } catch (error) {
      if (!LOST_RACES.includes(stateOf((error as Error).cause ?? error))) throw error;
      return undefined;
    }
  }

  watch(key: string, tell: () => void): void {
    this.watchers.push({ key, tell });
    if (this.watchers.length === 1) this.listen();
  }

  private listen(): void {
    const tellOf = (written: string) => {
      for (const { key, tell } of this.watchers) if (written === key || written === "") tell();
    };
    // Once it is there it reconnects by itself, as it does after each reset().
    this.sql.listen(CHANNEL, tellOf, () => tellOf("")).catch(() => {});
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.sql.close({ timeout: 0 });
  }

  /** Runs what asks the server. After a failure it connects anew: nobody knows what the old ones do. */
  private async use<T>(work: (sql: SQL, moment: typeof POSTGRES_MOMENT) => Promise<T>): Promise<T> {
    const { sql } = this;
    try {
      this.ready ??= prepare(sql);
      const { ready } = this;
      return await within(
        ANSWER_MS,
        ready.then((moment) => work(sql, moment)),
      );
    } catch (error) {
      if (!LOST_RACES.includes(stateOf(error))) this.reset(sql);
      throw new StoreUnavailable(reasonOf(error), { cause: error });
    }
  }

  private reset(sql: SQL): void {
    if (sql !== this.sql || this.isClosed) return;
    this.ready = undefined;
    this.sql = this.connect();
    if (this.watchers.length > 0) this.listen();
    sql.close({ timeout: 0 }).catch(() => {});
  }
}

/** The SQLSTATE of an error that the server answered; empty for others. */
function stateOf(error: unknown): string {
  const { errno } = error as { errno?: unknown };
  return typeof errno === "string" ? errno : "";
}

/** Makes the table where it is missing, and finds out what says which store this is. */
async function prepare(sql: SQL): Promise<typeof POSTGRES_MOMENT> {
  const [there] = await sql.unsafe("SELECT to_regclass($1) IS NOT NULL AS there", [TABLE]);
  if (there?.there !== true) await create(sql);
  try {
    await sql.unsafe(`SELECT ${POSTGRES_MOMENT.identity}, ${POSTGRES_MOMENT.timeline}`);
    return POSTGRES_MOMENT;
  } catch (error) {
    // undefined_function: it is no PostgreSQL. Anything else is for the next try.
    if (stateOf(error) !== "42883") throw error;
    return PLAIN_MOMENT;
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
    if (!["23505", "42P07"].includes(stateOf(error))) throw error;
  }
  await sql.unsafe(`INSERT INTO ${TABLE} VALUES ('', '', 0) ON CONFLICT DO NOTHING`);
}

/**
 * One statement that writes all or nothing, and answers no row where a guard does not hold. Locked rows
 * are read as they are committed, also where another write was waited for.
 */
function writing(identity: string, timeline: string): string {
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

function momentOf(found: Found | undefined): Moment {
  if (found === undefined) throw new StoreUnavailable(`table ${TABLE} has lost its counter`);
  return { identity: found.identity, timeline: found.timeline, revision: BigInt(found.now) };
}
