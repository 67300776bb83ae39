/**
 * The connections of a node to PostgreSQL. Each belongs to a client of its own, so that the limits of
 * a session are set whenever Bun made its connection anew, in the same turn as the statement that
 * needs them: a pooler such as PgBouncer refuses them as parameters of the connection's start.
 */

import { SQL } from "bun";
import { stateOf, UNDEFINED_FUNCTION } from "./postgres-writes.ts";

/** So many, so that a statement that waits for a lock does not hold up others. */
const CONNECTIONS = 3;
/** How often sharesSessions() looks: others who use the pooler can get in between. */
const SHARED_TRIES = 2;

/** One that Bun makes with the first statement, and again after it was lost. */
interface Connection {
  readonly sql: SQL;
  /** How many pieces of work use it. */
  users: number;
  /** How often it was lost. */
  losses: number;
  /** Whether its session has the limits. */
  isLimited: boolean;
}

export class PostgresPool {
  private readonly limits: readonly string[];
  private readonly connections: readonly [Connection, Connection, ...Connection[]];

  /**
   * `limitMs`: how long the server may take to be reached, to carry out a statement, and to wait for
   * the next one of a transaction. Throws TypeError if the URL is not valid.
   */
  constructor(url: string, limitMs: number) {
    this.limits = ["statement_timeout", "idle_in_transaction_session_timeout"].map(
      (setting) => `SET ${setting} = ${limitMs}`,
    );
    const all = Array.from({ length: CONNECTIONS }, () => connect(url, limitMs));
    this.connections = all as [Connection, Connection, ...Connection[]];
  }

  /** How often its connections were lost. */
  get losses(): number {
    return this.connections.reduce((sum, { losses }) => sum + losses, 0);
  }

  /** Runs work on the connection that has the least to do. */
  async run<T>(work: (sql: SQL) => Promise<T>): Promise<T> {
    const connection = this.connections.reduce((least, each) =>
      each.users < least.users ? each : least,
    );
    const { sql } = connection;
    const limits = connection.isLimited ? [] : this.limits;
    connection.isLimited = true;
    connection.users++;
    try {
      // Sent before the work's first statement, and not waited for.
      const limiting = limits.map((limit) => sql.unsafe(limit).execute());
      const [result] = await Promise.all([work(sql), ...limiting]);
      return result;
    } finally {
      connection.users--;
    }
  }

  /**
   * Whether a pooler gives one session of the server to several connections in turn, as PgBouncer
   * does in every mode but `session`. Nothing of a session may be changed before this is known.
   */
  async sharesSessions(): Promise<boolean> {
    for (let tries = 0; tries < SHARED_TRIES; tries++) {
      if (await this.seesSharedSession()) return true;
    }
    return false;
  }

  private async seesSharedSession(): Promise<boolean> {
    const [one, other] = this.connections;
    const { losses } = other;
    try {
      const process = await processOf(other.sql);
      // While one holds its session by a transaction, the other either had that before, or has
      // another one now.
      const isShared = await one.sql.begin(
        async (transaction) =>
          (await processOf(transaction)) === process || (await processOf(other.sql)) !== process,
      );
      return isShared && other.losses === losses;
    } catch (error) {
      // The server is no PostgreSQL, and has no such processes.
      if (stateOf(error) === UNDEFINED_FUNCTION) return false;
      if (/statement pooling mode/.test((error as Error).message)) return true;
      throw error;
    }
  }

  /**
   * Calls `tell` with what is sent to a channel, and `began` whenever that begins. Rejects if it
   * cannot begin; later losses are made good.
   */
  async listen(channel: string, tell: (text: string) => void, began: () => void): Promise<void> {
    await this.connections[0].sql.listen(channel, tell, began);
  }

  async close(): Promise<void> {
    await Promise.all(this.connections.map(({ sql }) => sql.close({ timeout: 0 })));
  }
}

function connect(url: string, limitMs: number): Connection {
  const lost = () => {
    connection.isLimited = false;
    connection.losses++;
  };
  const sql = new SQL({
    url,
    max: 1,
    bigint: true,
    connectionTimeout: limitMs / 1000,
    connection: { application_name: "number-dispenser" },
    onclose: lost,
  });
  const connection: Connection = { sql, users: 0, losses: 0, isLimited: false };
  return connection;
}

/** The id of the server's process that carries out the statements of a connection. */
async function processOf(sql: SQL): Promise<number> {
  const [row]: { id: number }[] = await sql.unsafe("SELECT pg_backend_pid() AS id");
  return row!.id;
}
