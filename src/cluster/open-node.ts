/**
 * What a node has on disk, opened: its store, what it remembers of itself, its part of all lines, its engine. The
 * server opens it so, and so do commands that work on the folder of a server that is stopped.
 */

import { type Allocation, wholeLine } from "../dispenser/allocation.ts";
import { Engine, type EngineLimits } from "../engine/engine.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { openSqliteStore, type SqliteStore } from "../storage/sqlite.ts";
import type { Store } from "../storage/store.ts";
import { allocationOf, type NodeSettings } from "./node/allocation.ts";
import { parseState, type StoredNodeState } from "./node/state.ts";
import { realClock } from "./stores/monotonic.ts";

/** Let go of by engine.close(), which closes the store. */
export interface OpenNode<S extends Store> {
  readonly store: S;
  readonly state: StoredNodeState;
  readonly engine: Engine;
}

/** The settings that the engine of a server follows. */
export interface ServedNodeSettings extends NodeSettings, EngineLimits {
  readonly autoSave: boolean;
}

/** What the engine of a server needs from outside. */
export interface NodeWorld<S extends Store> {
  readonly openStore: () => S;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  /** Called when there is something to commit: engine.commit() has to be called in this turn. */
  readonly onStaged: () => void;
}

/** Opens the data of a server. Throws CannotStart. */
export function openNode<S extends Store>(
  settings: ServedNodeSettings,
  { openStore, now, onStaged }: NodeWorld<S>,
): OpenNode<S> {
  const store = openStore();
  const state = parseState(store.node);
  const allocation = allocationOf(settings, state, store.size);
  const { autoSave: savesCounts } = settings;
  const engine = new Engine(store, { allocation, limits: settings, now, savesCounts, onStaged });
  return { store, state, engine };
}

/**
 * Opens the data folder of a server that is stopped, without limits; what is staged waits for engine.commit(). Each
 * line is all of the node's own unless `allocationFor` says otherwise. Throws CannotStart.
 */
export function openFolder(
  folder: string,
  options: FolderOptions,
  allocationFor: (state: StoredNodeState, size: number) => Allocation = () => wholeLine,
): OpenNode<SqliteStore> {
  const store = openSqliteStore(folder, options);
  const state = parseState(store.node);
  const allocation = allocationFor(state, store.size);
  const engine = new Engine(store, { ...realClock, savesCounts: false, allocation });
  return { store, state, engine };
}
