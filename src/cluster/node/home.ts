/**
 * Remembers the fingerprint of the data folder of a node without a lease store, because a copy of
 * the folder would hand out the same numbers.
 */

import type { SqliteStore } from "../../storage/sqlite.ts";
import { fingerprintOf, isSameFolder, parseState, type StoredNodeState } from "./state.ts";

/**
 * Stores the folder's present fingerprint, unless the folder is a cluster's: then its membership
 * has it.
 */
export function noteHome(store: SqliteStore): void {
  const state = parseState(store.node);
  if (state.membership !== undefined || state.joining !== undefined) return;
  writeState(store, { ...state, home: fingerprintOf(store.path) });
}

/**
 * Called at the start of a node without a lease store: stores its stripe, if it has one, and its
 * fingerprint, if none is stored yet. Answers whether the folder is a copy of the one whose
 * fingerprint is stored.
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
