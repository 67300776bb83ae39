/**
 * Moves all lines of a data folder ahead by a margin: what was handed out after the moment that the folder is of, which
 * only the operator can know, is then not handed out again. Deleted lines move, too: one that is defined again goes on there.
 */

import { CannotStart } from "../base/errors.ts";
import { allocationOf } from "../cluster/node/allocation.ts";
import type { StoredNodeState } from "../cluster/node/state.ts";
import { openFolder } from "../cluster/open-node.ts";
import { type Allocation, wholeLine } from "../dispenser/allocation.ts";
import { toText } from "../dispenser/name.ts";
import type { Engine } from "../engine/engine.ts";
import type { FolderOptions } from "../storage/folder.ts";

/** So many names are told of lines that are at their end. */
const NAMED_MAX = 20;
/** So many lines are moved ahead in one commit. */
const LINES_PER_COMMIT = 10_000;

/** What was moved. */
export interface Moved {
  /** Dispensers in the folder. */
  readonly dispensers: number;
  /** Lines that were deleted, and are remembered. */
  readonly deleted: number;
  /** Names of lines that have no number left, and had one before. */
  readonly ended: readonly string[];
}

/**
 * Opens the folder as a server would, moves its lines ahead, those in memory where they start over, and closes it
 * cleanly. A line without so many numbers is at its end then. `refuse` may say of what the folder is why it is not to be
 * moved. Throws CannotStart.
 */
export function moveAhead(
  folder: string,
  margin: bigint,
  options: FolderOptions,
  refuse: (state: StoredNodeState) => string | undefined = () => undefined,
): Moved {
  const { store, state, engine } = openFolder(folder, options, ownAllocation);
  const refusal = refuse(state);
  if (refusal !== undefined) {
    engine.close();
    throw new CannotStart(refusal);
  }
  let dispensers = 0;
  const ended: string[] = [];
  for (const dispenser of engine.all()) {
    const hadMore = dispenser.remaining > 0;
    engine.skip(dispenser, margin);
    if (hadMore && dispenser.remaining === 0) ended.push(toText(dispenser.name));
    if (++dispensers % LINES_PER_COMMIT === 0) commit(engine);
  }
  const deleted = store.deletedSize;
  engine.skipDeleted(margin);
  commit(engine);
  engine.close();
  return { dispensers, deleted, ended };
}

/** What the folder has of each line: a stripe, or all of it. */
function ownAllocation(state: StoredNodeState, size: number): Allocation {
  if (state.stripe === undefined) return wholeLine;
  return allocationOf({ store: "", node: state.stripe }, state, size);
}

/** The names of lines that the margin left nothing of, so many as fit a line. */
export function named(names: readonly string[]): string {
  const more = names.length > NAMED_MAX ? `, and ${names.length - NAMED_MAX} more` : "";
  return `${names.slice(0, NAMED_MAX).join(", ")}${more}`;
}

function commit(engine: Engine): void {
  const failure = engine.commit() ?? engine.maintain();
  if (failure !== undefined) throw failure;
}
