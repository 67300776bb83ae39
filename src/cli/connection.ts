/** How a command of the program reaches the server that runs on this machine. */

import { RedisClient } from "bun";
import { type Address, addressText } from "../address.ts";
import { VARIABLE_PREFIX } from "../config.ts";
import { CannotStart, reasonOf } from "../refusal.ts";
import type { Config } from "../settings.ts";

const CONNECT_MS_MAX = 5000;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the server listens. */
export type Addresses = Pick<Config, "addr" | "tlsAddr">;

/**
 * Runs work with a client of the server, at the first of its addresses. Where passwords are set, the
 * environment names the user and the password. Throws CannotStart where no server answers, and what the
 * work throws.
 */
export async function withServer<T>(
  { addr, tlsAddr }: Addresses,
  environment: Environment,
  work: (client: RedisClient) => Promise<T>,
): Promise<T> {
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
    return await work(client);
  } finally {
    client.close();
  }
}

/** Asks the server for something. Throws CannotStart with what it answered where it refuses. */
export async function ask(client: RedisClient, ...words: [string, ...string[]]): Promise<unknown> {
  const [command, ...args] = words;
  try {
    return await client.send(command, args);
  } catch (error) {
    throw new CannotStart(`the server refused: ${(error as Error).message}`);
  }
}

/** Where a server that listens there is reached from its own machine. */
function reachable(address: Address): Address {
  return "unix" in address ? address : { ...address, host: address.host ?? "127.0.0.1" };
}

function urlOf(address: Address, isTls: boolean, environment: Environment): string {
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
