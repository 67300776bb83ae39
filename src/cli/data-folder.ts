/** The data folder of a server that is stopped, as the commands of the program open it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { type Allocation, wholeLine } from "../dispenser/allocation.ts";
import { Engine } from "../engine/engine.ts";
import { DATABASE_FILE } from "../storage/file.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { openSqliteStore, type SqliteStore } from "../storage/sqlite.ts";

/** Which folder, and what is allowed there. */
export interface FolderSettings extends FolderOptions {
  readonly dataDir: string;
}

export interface OpenFolder {
  readonly store: SqliteStore;
  readonly engine: Engine;
}

/** Throws CannotStart where the folder has no database; `advice` ends the message. */
export function requireDatabase(dataDir: string, advice = ""): void {
  if (existsSync(join(dataDir, DATABASE_FILE))) return;
  throw new CannotStart(`data folder ${dataDir} has no database${advice}`);
}

/**
 * Opens the folder as a server would, but for the time: no deleted line becomes older. The caller closes the engine,
 * and the store with it. Throws CannotStart.
 */
export function openFolder(
  dataDir: string,
  options: FolderOptions,
  allocationOf: (store: SqliteStore) => Allocation = () => wholeLine,
): OpenFolder {
  const store = openSqliteStore(dataDir, options);
  const allocation = allocationOf(store);
  return { store, engine: new Engine(store, { now: () => 0, savesCounts: false, allocation }) };
}
