/**
 * Opens a node's data: its store, its node state, its allocation and its engine. The server uses
 * it, and commands that work on the folder of a stopped server.
 */

import { type Allocation, wholeLine } from "../dispenser/allocation.ts";
import { Engine, type EngineLimits, type EngineOptions } from "../engine/engine.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { openSqliteStore, type SqliteStore } from "../storage/sqlite.ts";
import type { Store } from "../storage/store.ts";
import { allocationOf, type NodeSettings } from "./node/allocation.ts";
import { parseState, type StoredNodeState } from "./node/state.ts";
import { realClock } from "./stores/monotonic.ts";

/** The opened data of a node; engine.close() also closes the store. */
export interface OpenNode<S extends Store> {
  readonly store: S;
  readonly state: StoredNodeState;
  readonly engine: Engine;
}

/** The settings that the engine of a server follows. */
export interface ServedNodeSettings extends NodeSettings, EngineLimits {
  readonly autoSave: boolean;
}

/** The part of a World that the engine of a server needs. */
export interface NodeWorld<S extends Store> {
  readonly openStore: () => S;
  /** A clock that only goes forwards, in milliseconds. */
  readonly now: () => number;
  /** The Unix time in milliseconds, which may jump in either direction. */
  readonly wallMs: () => number;
  /** As `now`, but going on while the machine sleeps. */
  readonly bootMs: () => number;
  /** Called when the engine staged something; engine.commit() has to be called in this turn. */
  readonly onStaged: () => void;
}

/** Answers the allocation of a node from its state and the number of its dispensers. */
type AllocationFor = (state: StoredNodeState, size: number) => Allocation;

/** Opens the data of a server. Throws CannotStart. */
export function openNode<S extends Store>(
  settings: ServedNodeSettings,
  { openStore, ...world }: NodeWorld<S>,
): OpenNode<S> {
  const options = { ...world, limits: settings, savesCounts: settings.autoSave };
  return openEngine(openStore(), options, (state, size) => allocationOf(settings, state, size));
}

/** Opens the data folder of a stopped server, without limits. Throws CannotStart. */
export function openFolder(
  folder: string,
  options: FolderOptions,
  allocationFor?: AllocationFor,
): OpenNode<SqliteStore> {
  const store = openSqliteStore(folder, options);
  return openEngine(store, { ...realClock, savesCounts: false }, allocationFor);
}

/**
 * Opens an engine on a store. Without `allocationFor` the node has the whole of each line. Throws
 * CannotStart.
 */
export function openEngine<S extends Store>(
  store: S,
  options: Omit<EngineOptions, "allocation">,
  allocationFor: AllocationFor = () => wholeLine,
): OpenNode<S> {
  const state = parseState(store.node);
  const allocation = allocationFor(state, store.size);
  return { store, state, engine: new Engine(store, { ...options, allocation }) };
}
