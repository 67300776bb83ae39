/** `number-dispenser backup FILE`: has the running server copy its database, and checks the copy. */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { RedisClient } from "bun";
import { type Address, addressText } from "../config.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import { checkBackup } from "../store/backup.ts";

const CONNECT_MS_MAX = 5000;

/** Answers one line that says what was done. Throws CannotStart. */
export async function backUp(file: string, addr: Address): Promise<string> {
  const path = resolve(file);
  const shown = addressText({ ...addr, host: addr.host ?? "127.0.0.1" });
  const client = new RedisClient(`redis://${shown}`, {
    autoReconnect: false,
    connectionTimeout: CONNECT_MS_MAX,
  });
  try {
    await client.connect();
  } catch (error) {
    throw new CannotStart(
      `no server on ${shown} takes a connection from this machine: ${reasonOf(error)}`,
    );
  }
  try {
    await client.send("BACKUP", [path]);
  } catch (error) {
    throw new CannotStart(`the server refused: ${(error as Error).message}`);
  } finally {
    client.close();
  }
  const dispensers = checkBackup(path);
  return `backup of ${dispensers} dispensers: ${path} (${Math.ceil(statSync(path).size / 1024)} KiB)`;
}
