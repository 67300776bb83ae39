/**
 * Opens a Redis for `import`, or says what is the matter with it: each error names what was wrong
 * and what to do.
 */

import tls from "node:tls";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { hidden } from "../base/secrets.ts";
import { UsageError } from "../config/file.ts";
import { readRegular } from "../platform/files.ts";
import { Client, ErrorReply, limitOf, type Trust } from "./client.ts";
import type { RedisUrl } from "./redis-url.ts";
import { Unreachable } from "./unreachable.ts";

/** How long it may take to connect and to log in. */
const OPEN_SECONDS = 5;
/** How long it may take to find out whether TLS is spoken where it should not be, or the reverse. */
const PROBE_SECONDS = 2;

type Flags = ReadonlyMap<string, string>;

/**
 * Connects, logs in and selects the database. Replies come as bytes. Throws CannotStart and
 * UsageError.
 */
export async function openRedis(url: RedisUrl, flags: Flags): Promise<Client> {
  const trust = trustOf(url, flags);
  let client: Client | undefined;
  try {
    const options = { trust, inBytes: true };
    client = await Client.open(url.address, url.isTls, limitOf(OPEN_SECONDS), options);
    await logIn(client, url);
    return client;
  } catch (error) {
    client?.close();
    throw unreadable(url, (await mixedUp(url, error)) ?? reasonFor(url, error));
  }
}

/** The error that ends the reading of a Redis; the reason shows no password. */
export function unreadable({ shown, password = "" }: RedisUrl, reason: string): CannotStart {
  // An old Redis repeats in its errors what it was sent.
  const clean = hidden(reason, password, encodeURIComponent(password));
  return new CannotStart(`cannot read the counters of ${shown}: ${clean}`);
}

/** What a Redis refused, or why it cannot be asked. */
export function reasonFor(url: RedisUrl, error: unknown): string {
  if (error instanceof ErrorReply) return meaningOf(error.message, url);
  if (error instanceof Unreachable) return error.message;
  throw error;
}

async function logIn(client: Client, { user, password, database }: RedisUrl): Promise<void> {
  if (password !== undefined) {
    await client.command("AUTH", ...(user === undefined ? [] : [user]), password);
  }
  // Also shows whether it is a Redis at all, and whether it wants a password.
  await client.command("SELECT", database ?? "0");
}

/**
 * Where TLS may be spoken on one side alone: asks the other way, without a password. Undefined if
 * that is not the trouble.
 */
async function mixedUp(url: RedisUrl, error: unknown): Promise<string | undefined> {
  const isSuspect = error instanceof Unreachable && SUSPECT.includes(error.trouble);
  if (!isSuspect || "unix" in url.address) return undefined;
  try {
    const client = await Client.open(url.address, !url.isTls, limitOf(PROBE_SECONDS));
    try {
      if (url.isTls) await client.command("PING");
    } catch (reply) {
      if (!(reply instanceof ErrorReply)) throw reply;
    } finally {
      client.close();
    }
  } catch {
    return undefined;
  }
  return url.isTls
    ? "it does not speak TLS there: write redis:// instead of rediss://, or the port of TLS"
    : "it speaks TLS there: write rediss:// instead of redis://, or the port without TLS";
}
const SUSPECT: readonly string[] = ["silent", "refused", "not_ours"];

/** What to do about an error that a Redis answered to everything that import asks. */
function meaningOf(reply: string, { user, password, database }: RedisUrl): string {
  const [code] = reply.split(" ");
  const who = user === undefined ? "its default user" : `user '${user}'`;
  if (code === "NOAUTH" || /operation not permitted/.test(reply)) {
    return "it wants a password: redis://:password@host, or redis://user:password@host";
  }
  if (code === "WRONGPASS" || /invalid password/.test(reply)) {
    return `it refuses the password of ${who}, or does not know that user`;
  }
  if (password !== undefined && /without any password|no password is set/.test(reply)) {
    return "it has no password: leave it out of the URL";
  }
  if (user !== undefined && /wrong number of arguments for 'auth'/.test(reply)) {
    return "its version has no users: write redis://:password@host";
  }
  if (code === "NOPERM") {
    return `${who} may not read it (${reply}): it needs +select +scan +getrange +type, and the keys (~*)`;
  }
  if (database !== undefined && /DB index|not allowed in cluster mode/.test(reply)) {
    return `it has no database ${database} (${reply})`;
  }
  if (code === "LOADING") return "it is still loading its data: try again when it is ready";
  if (code === "DENIED") {
    return "it is in protected mode: run this on its machine, or set a password there";
  }
  return `it answers: ${reply}`;
}

/** Whom a connection trusts: the authority of -ca, or else those of the system. Throws UsageError. */
function trustOf({ isTls }: RedisUrl, flags: Flags): Trust | undefined {
  const [ca, cert, key] = ["ca", "cert", "key"].map((flag) => pemIn(flags, flag));
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("-cert and -key belong together: a certificate, and its private key");
  }
  if (!isTls) {
    if (ca ?? cert) throw new UsageError("-ca, -cert and -key are for TLS: write rediss://");
    return undefined;
  }
  return { ca: ca ? [ca] : systemAuthorities(), ...(cert && key && { cert, key }) };
}

/** As a container may have none, those that come with the program stand in for them. */
function systemAuthorities(): readonly string[] {
  const ofSystem = tls.getCACertificates("system");
  return ofSystem.length > 0 ? ofSystem : tls.getCACertificates("bundled");
}

function pemIn(flags: Flags, flag: string): string | undefined {
  const file = flags.get(flag);
  if (file === undefined) return undefined;
  try {
    const text = readRegular(file).toString();
    if (text.includes("-----BEGIN ")) return text;
  } catch (error) {
    throw new UsageError(`-${flag}: cannot read ${file}: ${reasonOf(error)}`);
  }
  throw new UsageError(`-${flag}: ${file} is not a PEM file`);
}
