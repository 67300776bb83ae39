/** Parses the URL of an etcd: its members, the prefix of its keys, a user, TLS. */

import { CannotStart, reasonOf } from "../../base/errors.ts";
import { readServiceUrl } from "../../base/secrets.ts";
import { readRegular } from "../../platform/files.ts";

const DEFAULT_PREFIX = "number-dispenser";

/**
 * The parts of
 * `etcd://user:password@host:port,host:port/prefix?tls=true&ca=file&cert=file&key=file`.
 */
export interface EtcdOptions {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly user: { readonly name: string; readonly password: string } | undefined;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/**
 * Undefined if the URL is not of this form. Throws CannotStart if one of its files cannot be read.
 */
export function parseEtcdUrl(url: string): EtcdOptions | undefined {
  const read = readServiceUrl(url);
  if (read?.scheme !== "etcd") return undefined;
  const { hosts, user: name, password, path } = read;
  const parameters = new URLSearchParams(read.query);
  if (!hosts.every((host) => /:\d+$/.test(host))) return undefined;
  if ((name === undefined) !== (password === undefined)) return undefined;
  if ([...parameters.keys()].some((key) => !["tls", "ca", "cert", "key"].includes(key))) return;
  const file = (key: string) => parameters.get(key) ?? undefined;
  const isTls = parameters.get("tls") === "true" || parameters.has("ca");
  return {
    endpoints: hosts.map((host) => `${isTls ? "https" : "http"}://${host}`),
    prefix: `${path.slice(1) || DEFAULT_PREFIX}/`,
    user: name === undefined ? undefined : { name, password: password! },
    tls: isTls ? readFiles({ ca: file("ca"), cert: file("cert"), key: file("key") }) : undefined,
  };
}

function readFiles(paths: Record<string, string | undefined>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, path] of Object.entries(paths)) {
    if (path === undefined) continue;
    texts[name] = readFile(path);
  }
  return texts;
}

/** The text of a file that the URL of a store names. Throws CannotStart. */
export function readFile(path: string): string {
  try {
    return readRegular(path).toString();
  } catch (error) {
    throw new CannotStart(`storage.store: cannot read ${path}: ${reasonOf(error)}`);
  }
}
