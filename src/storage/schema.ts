/**
 * The tables, as migrations. PRAGMA user_version counts how many of them a database has seen; a
 * published one never changes.
 *
 * A position is stored as the last one below it (-1 for none), because the end of the longest line,
 * 2^63, does not fit an integer of SQLite. `generated` and `wasted` are as of the commit that wrote
 * the row.
 */

/** "NumD": the PRAGMA application_id of our databases. */
export const APPLICATION_ID = 0x4e756d44;
/** "NumB": the application_id of a backup, on which no server starts. */
export const BACKUP_ID = 0x4e756d42;
/** Where it stands in the file (https://sqlite.org/fileformat2.html#application_id). */
export const ID_OFFSET = 68;

/** server.clean: a server uses the database, or crashed while it did. */
export const IN_USE = 0;
/** Just made, or closed cleanly by the first version, which could leave counts short. */
export const CLOSED_INEXACTLY = 1;
/**
 * A copy, made while a server used it: as after a crash, but all of the log is in the main file.
 */
export const COPIED = 2;
/** Closed cleanly: all positions and counts are exact. */
export const CLOSED = 3;

/** SQL that writes the mark. */
export const mark = (how: typeof IN_USE | typeof CLOSED | typeof COPIED): string =>
  `UPDATE server SET clean = ${how}`;

/**
 * Makes Definition.line of the columns that `definitions` and `deleted` had before the fourth
 * migration, when there were types 1 to 3 and each field had a column. A column that does not apply
 * to the type was 0: a damaged row where it is not becomes '', which the start refuses.
 */
export const LINE_OF_COLUMNS = `CASE
    WHEN type = 1 AND starting = 0 AND step = 0 THEN
      json_object('type', '1', 'length', CAST(length AS TEXT))
    WHEN type = 2 THEN json_object('type', '2', 'length', CAST(length AS TEXT),
      'starting', CAST(starting AS TEXT), 'step', CAST(step AS TEXT))
    WHEN type = 3 AND length = 0 THEN json_object('type', '3',
      'starting', CAST(starting AS TEXT), 'step', CAST(step AS TEXT))
    ELSE '' END`;

export const migrations: readonly string[] = [
  `
  -- One row: how the last life of the server ended (IN_USE and so on, above).
  CREATE TABLE server (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    clean INTEGER NOT NULL
  ) STRICT;
  INSERT INTO server VALUES (1, 1);

  CREATE TABLE definitions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    type INTEGER NOT NULL,
    length INTEGER NOT NULL,
    starting INTEGER NOT NULL,
    step INTEGER NOT NULL,
    auto_disk TEXT NOT NULL
  ) STRICT;

  -- elegant_close: the exact position. memory: where the line starts over. Type 1: its count.
  CREATE TABLE positions (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL
  ) STRICT;

  -- pre-checkpoint and pre_close: the reservation, inside the last segment.
  CREATE TABLE checkpoints (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL
  ) STRICT;

  -- The pre modes: runs of the line not known to be used up. In pre-base the end of the last
  -- one is the reservation. A run goes from the position after
  -- previous to last; recovery needs only last, previous is for who reads the table.
  CREATE TABLE segments (
    dispenser INTEGER NOT NULL REFERENCES definitions ON DELETE CASCADE,
    previous INTEGER NOT NULL,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL,
    PRIMARY KEY (dispenser, last)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- One row: what the node remembers of itself where several share their lines (cluster/node/state.ts).
  CREATE TABLE node (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    state TEXT NOT NULL
  ) STRICT;

  -- What was leased of a line and is not known to be used up: its positions first to last are the
  -- node's own ones from own on.
  CREATE TABLE runs (
    dispenser INTEGER NOT NULL REFERENCES definitions ON DELETE CASCADE,
    own INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (dispenser, own)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Lines that were deleted, and whose numbers may be in use: each goes on where it stood when it is defined
  -- again, and others of its name keep clear of it. nth counts up in the order in which they were deleted.
  CREATE TABLE deleted (
    nth INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    type INTEGER NOT NULL,
    length INTEGER NOT NULL,
    starting INTEGER NOT NULL,
    step INTEGER NOT NULL,
    auto_disk TEXT NOT NULL,
    last INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    wasted INTEGER NOT NULL,
    -- The age of the database then.
    deleted_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX deleted_by_name ON deleted (name);
  CREATE INDEX deleted_by_age ON deleted (deleted_at);

  -- One row: for how many seconds servers have run on the database, at least, while deleted lines were kept.
  CREATE TABLE age (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seconds INTEGER NOT NULL
  ) STRICT;
  INSERT INTO age VALUES (1, 0);
  `,
  `
  -- A definition is its strategy, and its type with the fields of that as texts (Definition.line).
  ALTER TABLE definitions ADD COLUMN line TEXT NOT NULL DEFAULT '';
  UPDATE definitions SET line = ${LINE_OF_COLUMNS};
  ALTER TABLE definitions DROP COLUMN type;
  ALTER TABLE definitions DROP COLUMN length;
  ALTER TABLE definitions DROP COLUMN starting;
  ALTER TABLE definitions DROP COLUMN step;

  ALTER TABLE deleted ADD COLUMN line TEXT NOT NULL DEFAULT '';
  UPDATE deleted SET line = ${LINE_OF_COLUMNS};
  ALTER TABLE deleted DROP COLUMN type;
  ALTER TABLE deleted DROP COLUMN length;
  ALTER TABLE deleted DROP COLUMN starting;
  ALTER TABLE deleted DROP COLUMN step;
  `,
  `
  -- How many numbers of a line an operator skipped (ADVANCE, margins); most lines have no row. INFO alone reads it.
  CREATE TABLE skipped (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    numbers INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Lines with periods: the one that each is in. Its number n is that of position start + n, where start may be
  -- below 0. Of periods before known_from nothing is known, because the line was deleted meanwhile, or in memory.
  -- reached is the latest period that it has been in.
  CREATE TABLE periods (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    period INTEGER NOT NULL,
    start INTEGER NOT NULL,
    known_from INTEGER NOT NULL,
    reached INTEGER NOT NULL
  ) STRICT;

  -- Periods that a line has left: the last number that it had passed in each.
  CREATE TABLE ended_periods (
    dispenser INTEGER NOT NULL REFERENCES definitions ON DELETE CASCADE,
    period INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (dispenser, period)
  ) STRICT, WITHOUT ROWID;

  -- How many numbers an operator skipped in each period from since to until, of those that it had not been in.
  CREATE TABLE skipped_periods (
    dispenser INTEGER NOT NULL REFERENCES definitions ON DELETE CASCADE,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    numbers INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX skipped_periods_by_line ON skipped_periods (dispenser);

  -- What was leased of a period that has not begun: numbers first to last, of which those below start are skipped.
  CREATE TABLE leases_ahead (
    dispenser INTEGER PRIMARY KEY REFERENCES definitions ON DELETE CASCADE,
    period INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    start INTEGER NOT NULL
  ) STRICT;

  -- The period of a deleted line; NULL where it has no periods.
  ALTER TABLE deleted ADD COLUMN period INTEGER;
  ALTER TABLE deleted ADD COLUMN start INTEGER;
  `,
];
