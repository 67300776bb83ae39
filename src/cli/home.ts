/**
 * Where the data folder of a node without a store is at home: a copy of it elsewhere would hand out the same numbers.
 * `number-dispenser accept-copy` makes the place where it is now its home.
 */

import { CannotStart } from "../base/errors.ts";
import {
  fingerprintOf,
  isSameFolder,
  parseState,
  type StoredNodeState,
} from "../cluster/node/state.ts";
import type { FolderOptions } from "../storage/folder.ts";
import type { SqliteStore } from "../storage/sqlite.ts";
import { openFolder, requireDatabase } from "./data-folder.ts";

/** Makes the place where the folder is its home, unless it is that of a cluster's node, which knows by itself. */
export function noteHome(store: SqliteStore): void {
  const state = parseState(store.node);
  if (state.membership !== undefined || state.joining !== undefined) return;
  writeState(store, { ...state, home: fingerprintOf(store.path) });
}

/**
 * At the start of a node without a store: writes what it is (`stripe`, or a node alone) and, once, where it is at home.
 * Answers whether the folder was copied since.
 */
export function checkHome(store: SqliteStore, stripe: string): boolean {
  const here = fingerprintOf(store.path);
  const state = parseState(store.node);
  const { home = here } = state;
  writeState(store, { ...state, ...(stripe !== "" && { stripe }), home });
  return !isSameFolder(home, here);
}

function writeState(store: SqliteStore, state: StoredNodeState): void {
  const text = JSON.stringify(state);
  if (text !== store.node) store.writeNode(text);
}

/** Makes the place where the database of a folder is its home. Throws CannotStart. */
export function noteHomeOf(folder: string, options: FolderOptions): void {
  const { store, engine } = openFolder(folder, { ...options, create: false });
  noteHome(store);
  engine.close();
}

/** Answers one line that says what was done. Throws CannotStart. */
export function acceptCopy(dataDir: string, options: FolderOptions): string {
  requireDatabase(dataDir);
  const { store, engine } = openFolder(dataDir, { ...options, create: false });
  try {
    const { membership } = parseState(store.node);
    if (membership !== undefined) {
      throw new CannotStart(
        `the data folder belongs to cluster ${membership.cluster}: a copy of it joins that as a node of its own, ` +
          "and needs no word",
      );
    }
    noteHome(store);
  } finally {
    engine.close();
  }
  return `${store.path} is at home here now: never start the one that it is a copy of again`;
}
