/** The data folder of a stopped server, as the program's commands get it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { DATABASE_FILE } from "../storage/file.ts";
import type { FolderOptions } from "../storage/folder.ts";

/** The path of the folder, and its options. */
export interface FolderSettings extends FolderOptions {
  readonly dataDir: string;
}

/** Throws CannotStart if the folder has no database; `advice` ends the message. */
export function requireDatabase(dataDir: string, advice = ""): void {
  if (existsSync(join(dataDir, DATABASE_FILE))) return;
  throw new CannotStart(`data folder ${dataDir} has no database${advice}`);
}
