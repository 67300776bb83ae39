/**
 * `number-dispenser advance -all`: moves each line of a data folder ahead by a margin. It is for a
 * folder that went back in time, as by a disk snapshot that was put back, and so does not know the
 * numbers handed out since then.
 */

import { CannotStart, reasonOf } from "../base/errors.ts";
import type { StoredNodeState } from "../cluster/node/state.ts";
import { UsageError } from "../config/file.ts";
import { DiskBroken, DiskUnavailable } from "../storage/store.ts";
import { type FolderSettings, requireDatabase } from "./data-folder.ts";
import { confirmedMargin } from "./margin.ts";
import { moveAhead, named } from "./move-ahead.ts";

/** Refuses the folder of a cluster's node: only the lease store knows how far its lines went. */
function refuse({ membership, joining }: StoredNodeState): string | undefined {
  if (membership === undefined && joining === undefined) return undefined;
  return (
    "the data folder is that of a node of a cluster: cluster leave and join make a new node of it, and " +
    "cluster advance moves the lines of all"
  );
}

/** Answers one line that says what was done. Throws CannotStart and UsageError. */
export function advanceAll(flags: ReadonlyMap<string, string>, options: FolderSettings): string {
  if (!flags.has("all")) {
    throw new UsageError(
      "advance needs -all: it moves every line of the folder; ADVANCE name number moves one while the server runs",
    );
  }
  const margin = confirmedMargin(
    flags,
    "advance",
    "handed out since the moment that the folder is of",
    (margin) =>
      `every line skips ${margin} numbers for good, and a line that handed out more than that since the moment that the ` +
      "folder is of hands out numbers again",
  );
  const { dataDir } = options;
  requireDatabase(dataDir, ": name the folder with -data");
  try {
    const inPlace = { ...options, create: false };
    const { dispensers, deleted, ended } = moveAhead(dataDir, margin, inPlace, refuse);
    const others = deleted === 0 ? "" : `, and ${deleted} deleted ones`;
    const over = ended.length === 0 ? "" : `; at their end: ${named(ended)}`;
    return `moved the lines of ${dispensers} dispensers in ${dataDir} ahead by ${margin} numbers${others}${over}`;
  } catch (error) {
    const isOfStorage = error instanceof DiskUnavailable || error instanceof DiskBroken;
    if (!isOfStorage) throw error;
    throw new CannotStart(
      `cannot move all lines of ${dataDir} ahead: ${reasonOf(error)}: run the command again, some may have moved`,
    );
  }
}
