/**
 * `number-dispenser backup FILE`: makes the running server copy its database, and checks the copy.
 */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { checkBackup } from "../storage/backup.ts";
import { type Addresses, ask, type Environment, withServer } from "./connection.ts";

/** Answers one line that says what was done. Throws CannotStart. */
export async function backUp(
  file: string,
  addresses: Addresses,
  environment: Environment,
): Promise<string> {
  const path = resolve(file);
  await withServer(addresses, environment, (client) => ask(client, "BACKUP", path));
  const dispensers = checkBackup(path);
  return `backup of ${dispensers} dispensers: ${path} (${Math.ceil(statSync(path).size / 1024)} KiB)`;
}
