/**
 * Moves all lines of a data folder ahead by a margin, so that numbers handed out after the moment
 * that the folder is of do not come again. Deleted lines move, too, because one that is defined
 * again goes on where it stands.
 */

import { CannotStart } from "../base/errors.ts";
import { allocationOf } from "../cluster/node/allocation.ts";
import type { StoredNodeState } from "../cluster/node/state.ts";
import { openFolder } from "../cluster/open-node.ts";
import { type Allocation, wholeLine } from "../dispenser/allocation.ts";
import { toText } from "../dispenser/name.ts";
import type { Engine } from "../engine/engine.ts";
import type { FolderOptions } from "../storage/folder.ts";

/** How many names of ended lines a message has at most. */
const NAMED_MAX = 20;
/** How many lines one commit moves ahead at most. */
const LINES_PER_COMMIT = 10_000;

/** The result of a move. */
export interface Moved {
  /** How many dispensers the folder has. */
  readonly dispensers: number;
  /** How many deleted lines the folder has. */
  readonly deleted: number;
  /** The names of lines that lost their last numbers by the move. */
  readonly ended: readonly string[];
}

/**
 * Opens the folder as a server would, moves its lines ahead, and closes it cleanly. A line in
 * memory moves its restart point; a line with fewer numbers left than the margin is then at its
 * end. `refuse` may answer why a folder in this state must not be moved. Throws CannotStart.
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

/** The allocation of the folder's node: a stripe, or the whole of each line. */
function ownAllocation(state: StoredNodeState, size: number): Allocation {
  if (state.stripe === undefined) return wholeLine;
  return allocationOf({ store: "", node: state.stripe }, state, size);
}

/** The first NAMED_MAX of these names, as a text. */
export function named(names: readonly string[]): string {
  const more = names.length > NAMED_MAX ? `, and ${names.length - NAMED_MAX} more` : "";
  return `${names.slice(0, NAMED_MAX).join(", ")}${more}`;
}

function commit(engine: Engine): void {
  const failure = engine.commit() ?? engine.maintain();
  if (failure !== undefined) throw failure;
}
