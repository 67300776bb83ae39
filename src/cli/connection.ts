/** Connects a command of the program to the server that runs on this machine. */

import { RedisClient, type Socket } from "bun";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { type Address, addressText } from "../config/address.ts";
import { DEFAULT_USER, VARIABLE_PREFIX } from "../config/load.ts";
import type { Config } from "../config/settings.ts";

export const CONNECT_MS_MAX = 5000;

export type Environment = Readonly<Record<string, string | undefined>>;

/** The addresses that the server listens on. */
export type Addresses = Pick<Config, "addr" | "tlsAddr">;

/**
 * Runs work with a client of the server, at the first of its addresses. If passwords are set, the
 * environment gives the user and the password. Throws CannotStart if no server answers, and
 * whatever the work throws.
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
    // The server is on this machine, so its certificate need not be signed by a known authority.
    ...(isTls && { tls: { rejectUnauthorized: false } }),
  });
  try {
    await client.connect();
  } catch (error) {
    const answer = await firstAnswer(address, isTls, environment);
    throw new CannotStart(
      whyNot(shown, isTls, answer) ?? `no server on ${shown}: ${reasonOf(error)}`,
    );
  }
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Sends a command to the server. Throws CannotStart with the server's error. */
export async function ask(client: RedisClient, ...words: [string, ...string[]]): Promise<unknown> {
  const [command, ...args] = words;
  try {
    return await client.send(command, args);
  } catch (error) {
    throw new CannotStart(`the server refused: ${(error as Error).message}`);
  }
}

/** The address at which a server that listens on `address` is reached from its own machine. */
function reachable(address: Address): Address {
  return "unix" in address ? address : { ...address, host: address.host ?? "127.0.0.1" };
}

function urlOf(address: Address, isTls: boolean, environment: Environment): string {
  const password = environment[`${VARIABLE_PREFIX}PASSWORD`];
  const user = environment[`${VARIABLE_PREFIX}USER`] ?? "";
  const credentials =
    password === undefined ? "" : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
  if ("unix" in address) {
    // Bun's client wants a host after credentials, but ignores it.
    const host = credentials === "" ? "" : `${credentials}localhost`;
    return `${isTls ? "redis+tls+unix" : "redis+unix"}://${host}${address.unix}`;
  }
  return `${isTls ? "rediss" : "redis"}://${credentials}${addressText(reachable(address))}`;
}

/** The server's first line; "closed" if it closed the connection, "nobody" if nothing listens. */
type FirstAnswer = { readonly line: string } | "closed" | "nobody";

/** Asks once more without Bun's client, which does not tell why it was refused. */
async function firstAnswer(
  address: Address,
  isTls: boolean,
  environment: Environment,
): Promise<FirstAnswer> {
  const words = ["AUTH", environment[`${VARIABLE_PREFIX}USER`] || DEFAULT_USER];
  const password = environment[`${VARIABLE_PREFIX}PASSWORD`];
  const request = password === undefined ? ["PING"] : [...words, password];
  const bytes = request.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
  const { promise, resolve } = Promise.withResolvers<FirstAnswer>();
  const place = reachable(address);
  const send = (socket: Socket) => socket.write(`*${request.length}\r\n${bytes}`);
  try {
    const common = {
      ...(isTls && { tls: { rejectUnauthorized: false } }),
      socket: {
        open: (opened: Socket) => void (isTls || send(opened)),
        handshake: (opened: Socket) => void send(opened),
        data: (_: Socket, chunk: Buffer) => resolve({ line: chunk.toString().split("\r\n")[0]! }),
        close: () => resolve("closed"),
        error: () => resolve("closed"),
      },
    };
    const socket = await ("unix" in place
      ? Bun.connect({ unix: place.unix, ...common })
      : Bun.connect({ hostname: place.host!, port: place.port, ...common }));
    const timer = setTimeout(() => resolve("closed"), CONNECT_MS_MAX);
    const answer = await promise;
    clearTimeout(timer);
    socket.terminate();
    return answer;
  } catch {
    return "nobody";
  }
}

/** Explains an answer to the operator; undefined if there is nothing to explain. */
function whyNot(shown: string, isTls: boolean, answer: FirstAnswer): string | undefined {
  if (answer === "nobody") return `nothing listens on ${shown}`;
  if (answer === "closed") {
    return isTls
      ? `the server on ${shown} closes the connection: where tls.client_ca is set, only clients with a certificate get in`
      : undefined;
  }
  const [code] = answer.line.slice(1).split(" ");
  const where = `${VARIABLE_PREFIX}PASSWORD, and the user, if it is not the default one, in ${VARIABLE_PREFIX}USER`;
  if (code === "NOAUTH")
    return `the server on ${shown} wants a password: it has to stand in ${where}`;
  if (code === "WRONGPASS")
    return `the server on ${shown} refuses the password; it has to stand in ${where}`;
  return answer.line.startsWith("-")
    ? `the server on ${shown} refuses: ${answer.line.slice(1)}`
    : undefined;
}
