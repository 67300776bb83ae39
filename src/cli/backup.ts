/** `number-dispenser backup FILE`: has the running server copy its database, and checks the copy. */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { RedisClient } from "bun";
import { type Address, addressText } from "../address.ts";
import { VARIABLE_PREFIX } from "../config.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import type { Config } from "../settings.ts";
import { checkBackup } from "../store/backup.ts";

const CONNECT_MS_MAX = 5000;

/**
 * Answers one line that says what was done. Where passwords are set, the environment names the user
 * and the password. Throws CannotStart.
 */
export async function backUp(
  file: string,
  { addr, tlsAddr }: Pick<Config, "addr" | "tlsAddr">,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const path = resolve(file);
  const address = addr[0] ?? tlsAddr[0]!;
  const isTls = addr.length === 0;
  const shown = addressText(reachable(address));
  const client = new RedisClient(urlOf(address, isTls, environment), {
    autoReconnect: false,
    connectionTimeout: CONNECT_MS_MAX,
    // It is this machine's own server, whoever signed its certificate.
    ...(isTls && { tls: { rejectUnauthorized: false } }),
  });
  try {
    await client.connect();
  } catch (error) {
    throw new CannotStart(
      `no server on ${shown} takes a connection from this machine: ${reasonOf(error)}` +
        ` (where a password is set, it has to stand in ${VARIABLE_PREFIX}PASSWORD)`,
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

/** Where a server that listens there is reached from its own machine. */
function reachable(address: Address): Address {
  return "unix" in address ? address : { ...address, host: address.host ?? "127.0.0.1" };
}

function urlOf(
  address: Address,
  isTls: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const password = environment[`${VARIABLE_PREFIX}PASSWORD`];
  const user = environment[`${VARIABLE_PREFIX}USER`] ?? "";
  const credentials =
    password === undefined ? "" : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
  if ("unix" in address) {
    // Behind credentials Bun's client wants a host, though it is not looked at.
    const host = credentials === "" ? "" : `${credentials}localhost`;
    return `${isTls ? "redis+tls+unix" : "redis+unix"}://${host}${address.unix}`;
  }
  return `${isTls ? "rediss" : "redis"}://${credentials}${addressText(reachable(address))}`;
}
