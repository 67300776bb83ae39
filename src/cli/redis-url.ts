/** The URL of a Redis, as -redis has it. */

import { encodedPassword, readServiceUrl } from "../base/secrets.ts";
import { type Address, parseAddress } from "../config/address.ts";
import { UsageError } from "../config/file.ts";

const PORT = 6379;

const FORMS = `redis://user:password@host:port, or rediss:// for TLS, ${encodedPassword}`;
/** A text that is an address: it cannot hold a password, so it may be shown. */
const ADDRESS = /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?(\/\d*)?$/i;

export interface RedisUrl {
  readonly address: Address;
  readonly isTls: boolean;
  /** Undefined for Redis's default user. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** The number of the database; undefined for the first. */
  readonly database: string | undefined;
  /** The URL without user and password. */
  readonly shown: string;
}

/** Reads the URL. Throws UsageError, which shows no password. */
export function readRedisUrl(text: string): RedisUrl {
  if (ADDRESS.test(text)) {
    throw new UsageError(
      `-redis: '${text}' has no scheme: write redis://${text}, or rediss://${text} for TLS`,
    );
  }
  if (!text.includes("://")) throw new UsageError(`-redis: it has no scheme: it must be ${FORMS}`);
  const url = readServiceUrl(text);
  const form = /^(?:redis|valkey)(s|\+tls)?(\+unix)?$/.exec(url?.scheme ?? "");
  const isUnix = form?.[2] !== undefined;
  const address = url?.hosts.length === 1 ? addressIn(url.hosts[0]!, url.path, isUnix) : undefined;
  if (url === undefined || form === null || address === undefined) {
    throw new UsageError(`-redis: it must be ${FORMS}`);
  }
  const { shown, user, password, path, query } = url;
  if (query !== "") throw new UsageError(`-redis: ${shown} may have no parameters ('?…')`);
  if (!isUnix && !/^(\/\d*)?$/.test(path)) {
    throw new UsageError(`-redis: ${shown} is none: the path may only be the number of a database`);
  }
  if (user && !password) {
    throw new UsageError(
      "-redis: a user needs a password: write redis://user:password@host, or redis://:password@host for a password alone",
    );
  }
  return {
    ...{ address, isTls: form[1] !== undefined, shown },
    user: user || undefined,
    password: password || undefined,
    database: isUnix ? undefined : path.slice(1) || undefined,
  };
}

function addressIn(host: string, path: string, isUnix: boolean): Address | undefined {
  if (isUnix) return host === "" ? parseAddress(`unix:${decodeURIComponent(path)}`) : undefined;
  if (host === "") return undefined;
  return parseAddress(/:\d+$/.test(host) ? host : `${host}:${PORT}`);
}
