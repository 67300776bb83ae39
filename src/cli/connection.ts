/** Connects a command of the program to the server that runs on this machine. */

import { CannotStart } from "../base/errors.ts";
import { hidden } from "../base/secrets.ts";
import { type Address, addressText, isLoopback } from "../config/address.ts";
import { DEFAULT_USER, VARIABLE_PREFIX } from "../config/load.ts";
import type { Config } from "../config/settings.ts";
import { Client, ErrorReply, type Limit, limitOf } from "./client.ts";
import { type Proofs, proveCertificate, proveUser } from "./proof.ts";
import { Unreachable } from "./unreachable.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The addresses that the server listens on, and how it is known there. */
export type ServerSettings = Pick<Config, "addr" | "tlsAddr" | "tlsClientCa"> & Proofs;

/** An address of the server as it is reached from its own machine. */
interface Way {
  readonly address: Address;
  readonly isTls: boolean;
}

/**
 * Runs work with a client of the server, at the first of its addresses where something listens. If
 * the environment gives a password, the client is logged in. All of it has to end within the limit,
 * unless the work calls waitForever(). Throws Unreachable, and whatever the work throws.
 */
export async function withServer<T>(
  settings: ServerSettings,
  environment: Environment,
  limitSeconds: number,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await reach(settings, environment, limitOf(limitSeconds));
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Sends a command to the server. Throws Unreachable, or CannotStart with the server's error. */
export async function ask(client: Client, ...words: readonly string[]): Promise<unknown> {
  try {
    return await client.command(...words);
  } catch (error) {
    if (!(error instanceof ErrorReply)) throw error;
    throw new CannotStart(`the server refused: ${error.message}`);
  }
}

/** A client that is connected and logged in, to a server that has proven to be ours. */
async function reach(
  settings: ServerSettings,
  environment: Environment,
  limit: Limit,
): Promise<Client> {
  const failures: Unreachable[] = [];
  for (const way of waysTo(settings)) {
    try {
      return await enter(way, settings, environment, limit);
    } catch (error) {
      const isAbsent =
        error instanceof Unreachable && ["down", "not_permitted"].includes(error.trouble);
      if (!isAbsent) throw error;
      failures.push(error);
    }
  }
  const reasons = failures.map(({ message }) => message);
  throw new Unreachable(failures[0]!.trouble, reasons.join(", and "));
}

async function enter(
  { address, isTls }: Way,
  settings: ServerSettings,
  environment: Environment,
  limit: Limit,
): Promise<Client> {
  const password = environment[`${VARIABLE_PREFIX}PASSWORD`] || undefined;
  const user = environment[`${VARIABLE_PREFIX}USER`] || DEFAULT_USER;
  const client = await Client.open(address, isTls, limit);
  try {
    if (isTls) proveCertificate(client, address, settings);
    else if (password !== undefined) proveUser(client, address, settings);
    await client.command(...(password === undefined ? ["PING"] : ["AUTH", user, password]));
    return client;
  } catch (error) {
    client.close();
    if (error instanceof ErrorReply) throw refusal(addressText(address), error.message, password);
    if (isTls && settings.tlsClientCa !== "" && (error as Unreachable).trouble === "refused") {
      throw new Unreachable(
        "refused",
        `the server on ${addressText(address)} closes the connection: where tls.client_ca is set, only clients with a certificate get in`,
      );
    }
    throw error;
  }
}

/**
 * The addresses in the order in which they are tried: first unix sockets, which belong to a user,
 * then the loopback interface; and last those that only let in clients with a certificate.
 */
function waysTo({ addr, tlsAddr, tlsClientCa }: ServerSettings): readonly Way[] {
  const ways = [
    ...addr.map((address) => ({ address: reachable(address), isTls: false })),
    ...tlsAddr.map((address) => ({ address: reachable(address), isTls: true })),
  ];
  const rank = ({ address, isTls }: Way) => {
    const place = "unix" in address ? 0 : isLocal(address.host!) ? 1 : 2;
    return place + (isTls && tlsClientCa !== "" ? 3 : 0);
  };
  return ways.sort((one, other) => rank(one) - rank(other));
}

const isLocal = (host: string) => host === "localhost" || isLoopback(host);

const ON_ALL: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The address at which a server that listens on `address` is reached from its own machine. */
function reachable(address: Address): Address {
  if ("unix" in address) return address;
  const { host = "127.0.0.1", port } = address;
  return { host: ON_ALL[host] ?? host, port };
}

/** Explains an error that the server answered first. */
function refusal(shown: string, reply: string, password: string | undefined): Unreachable {
  const where = `${VARIABLE_PREFIX}PASSWORD, and the user, if it is not the default one, in ${VARIABLE_PREFIX}USER`;
  const [code] = reply.split(" ");
  if (code === "NOAUTH") {
    return new Unreachable(
      "password_wanted",
      `the server on ${shown} wants a password: it has to stand in ${where}`,
    );
  }
  if (code === "WRONGPASS") {
    return new Unreachable(
      "password_refused",
      `the server on ${shown} refuses the password; it has to stand in ${where}`,
    );
  }
  if (reply.includes("max number of clients reached")) {
    return new Unreachable("full", `the server on ${shown} ${FULL}`);
  }
  // Other programs repeat in their errors what they were sent.
  const said = hidden(reply, password ?? "");
  return new Unreachable("refused", `the server on ${shown} refuses: ${said}`);
}

/** What is the matter with a server that has limits.clients clients. */
export const FULL =
  "is full: it serves the clients that it has, and refuses others (max number of clients reached); raise " +
  "limits.clients, or close clients that do nothing (limits.idle_seconds, CLIENT KILL)";
