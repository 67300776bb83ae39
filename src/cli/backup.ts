/**
 * `number-dispenser backup FILE`: makes the running server copy its database, and checks the copy.
 */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { checkBackup } from "../storage/backup.ts";
import { LIMIT_SECONDS } from "./commands.ts";
import { ask, type Environment, type ServerSettings, withServer } from "./connection.ts";

/** Answers one line that says what was done. Throws CannotStart. */
export async function backUp(
  file: string,
  settings: ServerSettings,
  environment: Environment,
): Promise<string> {
  const path = resolve(file);
  await withServer(settings, environment, LIMIT_SECONDS, (client) => {
    // A large database takes its time.
    client.waitForever();
    return ask(client, "BACKUP", path);
  });
  const dispensers = checkBackup(path);
  return `backup of ${dispensers} dispensers: ${path} (${Math.ceil(statSync(path).size / 1024)} KiB)`;
}
