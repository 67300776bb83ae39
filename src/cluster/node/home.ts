/**
 * Where the data folder of a node without a lease store is at home: a copy of it elsewhere would hand out the same
 * numbers.
 */

import type { SqliteStore } from "../../storage/sqlite.ts";
import { fingerprintOf, isSameFolder, parseState, type StoredNodeState } from "./state.ts";

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
