/**
 * `number-dispenser init`: makes the database of a data folder once, so that the server can refuse
 * a folder without one (storage.create: false), as when a mount is missing.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_FILE } from "../storage/file.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { openSqliteStore } from "../storage/sqlite.ts";

/** Answers one line that says what was done. Throws CannotStart. */
export function initialize(dataDir: string, options: FolderOptions): string {
  const path = join(dataDir, DATABASE_FILE);
  if (existsSync(path)) return `${path} is there already`;
  const store = openSqliteStore(dataDir, { ...options, create: true });
  for (const _ of store.load());
  store.close();
  return `made ${path}: every line starts at its beginning`;
}
