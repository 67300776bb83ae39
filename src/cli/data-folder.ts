/** The data folder of a server that is stopped, as the commands of the program are told of it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { DATABASE_FILE } from "../storage/file.ts";
import type { FolderOptions } from "../storage/folder.ts";

/** Which folder, and what is allowed there. */
export interface FolderSettings extends FolderOptions {
  readonly dataDir: string;
}

/** Throws CannotStart where the folder has no database; `advice` ends the message. */
export function requireDatabase(dataDir: string, advice = ""): void {
  if (existsSync(join(dataDir, DATABASE_FILE))) return;
  throw new CannotStart(`data folder ${dataDir} has no database${advice}`);
}
