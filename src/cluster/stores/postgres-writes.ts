/**
 * Writes rows in PostgreSQL: all rows of a write or none, if the guards have their revisions.
 * Writes commit in the order of their own revisions.
 */

import type { SQL } from "bun";
import { canBeWatched, LeaseStoreUnavailable, type StoreVersion, type Write } from "./store.ts";

export const TABLE = "number_dispenser";
export const CHANNEL = "number_dispenser";

/** SQLSTATEs (PostgreSQL's manual, appendix A). */
export const UNIQUE_VIOLATION = "23505";
export const UNDEFINED_FUNCTION = "42883";
/**
 * Another write was quicker, and this one wrote nothing: a key that exists, serialization,
 * deadlock.
 */
const LOST_RACES = [UNIQUE_VIOLATION, "40001", "40P01"];

/** The SQL expressions that a server understands. */
export interface Dialect {
  /** Whether statements may use nothing that only PostgreSQL has. */
  readonly isPlain: boolean;
  /** The identity, timeline and term of the store; empty texts if the server cannot say. */
  readonly identity: string;
  readonly timeline: string;
  readonly term: string;
  /** Whether the rows were put back; `false` if the server cannot say. */
  readonly isRestored: string;
}

/** The key of the row whose value is the transaction that wrote it. */
const ORIGIN = "origin";
/** The id of the present transaction, as the column xmin will show it. */
const OWN_TRANSACTION = "(txid_current() % 4294967296)::text";
/**
 * Whether the table was put back from a dump. The xmin of a row is the transaction that wrote it,
 * also after VACUUM FREEZE, VACUUM FULL and CLUSTER; after a restore it is the transaction of the
 * restore.
 */
export const isRestoredByXmin = `NOT EXISTS (
  SELECT 1 FROM ${TABLE} o WHERE o.key = '${ORIGIN}' AND o.value = o.xmin::text)`;

/** Writes that row if it is missing. */
export const writeOrigin = `
  INSERT INTO ${TABLE} (key, value, revision)
  SELECT '${ORIGIN}', ${OWN_TRANSACTION}, 0
  WHERE NOT EXISTS (SELECT 1 FROM ${TABLE} WHERE key = '${ORIGIN}')
  ON CONFLICT DO NOTHING`;

/** The columns of Found that describe the server. */
export const selfOf = ({ identity, timeline, term, isRestored }: Dialect): string =>
  `${identity} AS identity, ${timeline} AS timeline, ${term} AS term, ${isRestored} AS restored`;

/** A row of an answer, with the columns that describe the server. */
export interface Found {
  readonly identity: string;
  readonly timeline: string;
  readonly term: string;
  readonly restored: boolean;
  readonly now: bigint;
  readonly key: string | null;
  readonly value: string;
  readonly revision: bigint;
}

/** Makes a write in one statement of PostgreSQL. */
export async function writeAtOnce(
  sql: SQL,
  { guards, puts, removes = [], accepts = false }: Write,
  dialect: Dialect,
): Promise<StoreVersion | undefined> {
  const texts = (some: readonly string[]) => sql.array([...some], "text");
  // A row that must not exist is inserted without ON CONFLICT: if it exists by then, nothing is
  // written.
  const isNew = (key: string) => guards.get(key) === 0n;
  const keys = [...puts.keys()];
  const [fresh, known] = [keys.filter(isNew), keys.filter((key) => !isNew(key))];
  const valuesOf = (some: readonly string[]) => texts(some.map((key) => puts.get(key)!));
  const written: Found[] = await sql.unsafe(writing(dialect, accepts, removes.length > 0), [
    texts([...guards.keys()]),
    texts([...guards.values()].map(String)),
    texts(fresh),
    valuesOf(fresh),
    texts(known),
    valuesOf(known),
    texts(keys.filter(canBeWatched)),
    ...(removes.length > 0 ? [texts(removes)] : []),
  ]);
  return written.length === 0 ? undefined : versionOf(written[0]);
}

/**
 * The statement: it writes all or nothing, and answers no row if a guard does not hold. FOR UPDATE
 * reads the rows as they are committed, even after it waited for another write. It turns
 * synchronous commit on if the session has less.
 */
function writing(dialect: Dialect, accepts: boolean, removes: boolean): string {
  // Only in writes that remove rows: a user without the right to delete could make no write
  // otherwise.
  const removed = `
    removed AS (
      DELETE FROM ${TABLE} r USING counted c WHERE r.key = ANY($8::text[])
    ),`;
  const origin = `
    origin AS (
      INSERT INTO ${TABLE} (key, value, revision)
      SELECT '${ORIGIN}', ${OWN_TRANSACTION}, 0 FROM counted
      ON CONFLICT (key) DO UPDATE SET value = excluded.value
    ),`;
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
      ) ${accepts ? "" : `AND NOT (${dialect.isRestored})`}
      RETURNING revision
    ),
    ${accepts ? origin : ""}
    ${removes ? removed : ""}
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
    SELECT ${selfOf(dialect)}, c.revision AS now,
      CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
           THEN set_config('synchronous_commit', 'on', true) END,
      (SELECT count(pg_notify('${CHANNEL}', key)) FROM unnest($7::text[]) AS w (key))
    FROM counted c`;
}

/** A guard did not hold: the transaction is rolled back. */
class LostRace extends Error {}

/**
 * Makes a write in plain SQL. It locks the counter first, so that writes come one after the other.
 */
export async function writePlainly(
  sql: SQL,
  { guards, puts, removes = [] }: Write,
): Promise<StoreVersion | undefined> {
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
      for (const key of removes) {
        await transaction.unsafe(`DELETE FROM ${TABLE} WHERE key = $1`, [key]);
      }
      for (const [key, value] of puts) {
        await transaction.unsafe(
          `INSERT INTO ${TABLE} (key, value, revision) VALUES ($1, $2, $3)
           ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
          [key, value, counter.revision],
        );
      }
      const revision = BigInt(counter.revision);
      return { identity: "", timeline: "", term: "", revision, isRestored: false };
    });
  } catch (error) {
    if (error instanceof LostRace) return undefined;
    throw error;
  }
}

/** The SQLSTATE of an error that the server answered; empty for other errors. */
export function stateOf(error: unknown): string {
  const { errno } = error as { errno?: unknown };
  return typeof errno === "string" ? errno : "";
}

/** The store version in a row of an answer. */
export function versionOf(found: Found | undefined): StoreVersion {
  if (found === undefined) throw lostCounter();
  const { identity, timeline, term, restored, now } = found;
  return { identity, timeline, term, revision: BigInt(now), isRestored: restored };
}

const lostCounter = () => new LeaseStoreUnavailable(`table ${TABLE} has lost its counter`);

/** Whether the error says that another write was quicker, so that this one wrote nothing. */
export function isLostRace(error: unknown): boolean {
  return LOST_RACES.includes(stateOf(error));
}
