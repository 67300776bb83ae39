/**
 * Reads dispensers from their rows at the start, and refuses rows that contradict each other. It
 * goes through the tables side by side in the order of ids, which is quicker than joins. rows.ts
 * writes them.
 */

import type { Database } from "bun:sqlite";
import { CannotStart } from "../base/errors.ts";
import { type LeaseAhead, Leased, type LeasedRange } from "../dispenser/allocation.ts";
import type { Definition } from "../dispenser/definition.ts";
import { toBytes } from "../dispenser/name.ts";
import { isPossible } from "../dispenser/reservation.ts";
import { strategies } from "../dispenser/strategy.ts";
import { NO_PERIOD } from "../dispenser/types/type.ts";
import { hasColumn, hasTable } from "./database.ts";
import { checkDeleted, selectDeleted } from "./deleted-rows.ts";
import { LINE_OF_COLUMNS } from "./schema.ts";
import type { StoredDispenser } from "./store.ts";
import {
  accountOf,
  Contradiction,
  definitionIn,
  isRunSound,
  type KeptRow,
  positionsOf,
  type RunColumns,
  runOf,
} from "./stored-values.ts";
import { PAGE_ROWS, TableCursor } from "./table-cursor.ts";

type DefinitionRow = readonly [id: bigint, name: string, line: string, autoDisk: string];

/** The rows of a dispenser; of its segments, the last. */
interface KeptRows {
  readonly position: KeptRow | undefined;
  readonly checkpoint: KeptRow | undefined;
  readonly segment: KeptRow | undefined;
}

/** The run of a line with periods. */
type PeriodRow = readonly [id: bigint, ...RunColumns];

/** A lease of a period that has not begun. */
type AheadRow = readonly [id: bigint, period: bigint, first: bigint, last: bigint, from: bigint];

/** A leased range. */
type RunRow = readonly [id: bigint, own: bigint, first: bigint, last: bigint];

/**
 * Every dispenser in the order of ids, many at a time. After a clean close (`isExact`) nothing may
 * lie reserved ahead. Throws CannotStart, which names the file by `path`, if rows contradict each
 * other.
 */
export function* loadDispensers(
  database: Database,
  path: string,
  isExact: boolean,
): Generator<StoredDispenser[]> {
  const statements = prepare(database);
  try {
    yield* load(statements, isExact);
    checkDeleted(statements.deleted);
  } catch (error) {
    if (!(error instanceof Contradiction)) throw error;
    throw new CannotStart(
      `${path} is damaged: ${error.message} contradict each other; restore a backup`,
    );
  } finally {
    for (const statement of Object.values(statements)) statement?.finalize();
  }
}

/** The SQL of Definition.line: the start reads the tables before they are migrated. */
const lineIn = (database: Database) =>
  hasColumn(database, "definitions", "line") ? "line" : LINE_OF_COLUMNS;

function* load(statements: Statements, isExact: boolean): Generator<StoredDispenser[]> {
  const positions = new TableCursor<KeptRow>(statements.positions);
  const checkpoints = new TableCursor<KeptRow>(statements.checkpoints);
  const segments = new TableCursor<KeptRow>(statements.segments);
  const runs = new TableCursor<RunRow>(statements.runs, 2);
  const periods = new TableCursor<PeriodRow>(statements.periods);
  const ahead = new TableCursor<AheadRow>(statements.ahead);
  const definitions = new TableCursor<DefinitionRow>(statements.definitions);
  while (definitions.next !== undefined) {
    const loaded: StoredDispenser[] = [];
    while (definitions.next !== undefined && loaded.length < PAGE_ROWS) {
      const definition = definitions.next;
      const [id, name] = definition;
      const kept = {
        position: positions.take(id),
        checkpoint: checkpoints.take(id),
        segment: segments.take(id),
      };
      const period = periods.take(id);
      const leased = allocationOf(runs, id, period, ahead.take(id));
      const stored = dispenserOf(definition, kept, leased, period);
      if (!isSound(stored, kept, isExact)) throw new Contradiction(`rows of '${name}'`);
      loaded.push(stored);
      definitions.take(id);
    }
    yield loaded;
  }
  if ([positions, checkpoints, segments, runs, periods, ahead].some(({ hasOthers }) => hasOthers)) {
    throw new Contradiction("rows of no dispenser and those of some");
  }
}

function dispenserOf(
  row: DefinitionRow,
  { position, checkpoint, segment }: KeptRows,
  leased: Leased | undefined,
  run: PeriodRow | undefined,
): StoredDispenser {
  const [id, name, line, autoDisk] = row;
  return {
    id: Number(id),
    name: toBytes(name),
    definition: definitionIn(name, line, autoDisk),
    account: accountOf(checkpoint ?? position ?? segment),
    segmentEnd: segment === undefined ? undefined : segment[1] + 1n,
    allocation: leased,
    run: leased === undefined && run ? runOf(run.slice(1) as unknown as RunColumns) : undefined,
  };
}

/** What was leased to the node; undefined if nothing was. */
function allocationOf(
  table: TableCursor<RunRow>,
  id: bigint,
  run: PeriodRow | undefined,
  ahead: AheadRow | undefined,
): Leased | undefined {
  if (table.isOver && ahead === undefined) return undefined;
  const runs: LeasedRange[] = [];
  for (let row = table.take(id); row !== undefined; row = table.take(id)) {
    const [, local, first, last] = row;
    runs.push({ local, first, count: last - first + 1n });
  }
  if (runs.length === 0 && ahead === undefined) return undefined;
  try {
    return new Leased(
      runs,
      run === undefined ? NO_PERIOD : Number(run[1]),
      ahead && leaseOf(ahead),
    );
  } catch {
    throw new Contradiction("leases of a line");
  }
}

const leaseOf = ([, period, first, last, from]: AheadRow): LeaseAhead => ({
  period: Number(period),
  first,
  count: last - first + 1n,
  from,
});

/**
 * Whether the rows of a dispenser agree with each other and with its definition; damage mostly
 * leaves some that do not.
 */
function isSound(stored: StoredDispenser, kept: KeptRows, isExact: boolean): boolean {
  const { definition, account, allocation } = stored;
  const { type } = definition;
  if (stored.id < 1 || !isInItsTables(kept, definition)) return false;
  if (allocation !== undefined && definition.hasPeriods !== hasPeriod(allocation)) return false;
  if (allocation === undefined && !isRunSound(stored.run, definition, account)) return false;
  if (account === undefined) return true;
  if (!isPossible(account, type, positionsOf(definition))) return false;
  if (!type.hasPositions) return allocation === undefined;
  const { reserved, generated, wasted } = account;
  if (allocation !== undefined && reserved > allocation.end) return false;
  return !isExact || reserved === generated + wasted;
}

/** Whether leases are of a period, or there is one of a period to come. */
const hasPeriod = ({ period, ahead }: Leased) => period !== NO_PERIOD || ahead !== undefined;

/** Whether the rows of a dispenser are in the tables of its strategy, and only there. */
function isInItsTables(kept: KeptRows, { type, strategy }: Definition): boolean {
  const { position, checkpoint, segment } = kept;
  switch (type.hasPositions ? strategies[strategy].keeps : "position") {
    case "definition":
    case "position":
      return checkpoint === undefined && segment === undefined;
    case "segments":
      return position === undefined && checkpoint === undefined;
    case "checkpoint":
      if (position !== undefined) return false;
      return segment === undefined || (checkpoint !== undefined && checkpoint[1] <= segment[1]);
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: Database) {
  const line = lineIn(database);
  const run = hasTable(database, "periods") ? "period, start" : "NULL, NULL";
  const kept = (table: string) =>
    database.prepare(`SELECT * FROM ${table} WHERE dispenser > ? ORDER BY dispenser LIMIT ?`);
  return {
    definitions: database.prepare(
      `SELECT id, name, ${line}, auto_disk FROM definitions WHERE id > ? ORDER BY id LIMIT ?`,
    ),
    positions: kept("positions"),
    checkpoints: kept("checkpoints"),
    // The row with the greatest `last` of each dispenser, and its counts:
    // https://sqlite.org/lang_select.html#bare_columns_in_an_aggregate_query
    segments: database.prepare(
      `SELECT dispenser, max(last), generated, wasted FROM segments WHERE dispenser > ?
       GROUP BY dispenser ORDER BY dispenser LIMIT ?`,
    ),
    // Before they are migrated, the tables of an older version lack these.
    deleted: hasTable(database, "deleted")
      ? database.prepare(`${selectDeleted(line, run)} WHERE nth > ? ORDER BY nth LIMIT ?`)
      : undefined,
    periods: hasTable(database, "periods") ? kept("periods") : undefined,
    ahead: hasTable(database, "leases_ahead") ? kept("leases_ahead") : undefined,
    runs: hasTable(database, "runs")
      ? database.prepare(
          "SELECT * FROM runs WHERE (dispenser, own) > (?, ?) ORDER BY dispenser, own LIMIT ?",
        )
      : undefined,
  };
}
