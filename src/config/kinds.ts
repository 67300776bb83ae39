/**
 * The kinds of values that settings have; each reads a text and describes which texts it allows.
 */

import { resolve } from "node:path";
import { encodedPassword, looksLikeUrl, readServiceUrl } from "../base/secrets.ts";
import { type Address, addressForms, parseAddress } from "./address.ts";

export interface Kind<T> {
  /** Reads a text; undefined if it is not allowed, and then `allowed` completes "must be ...". */
  readonly parse: (text: string) => { readonly value: T } | undefined;
  readonly allowed: string;
}

/** The result of a parser for a value; undefined for none. */
const some = <T>(value: T | undefined) => (value === undefined ? undefined : { value });

export const truth: Kind<boolean> = {
  parse: (text) => some(text === "true" ? true : text === "false" ? false : undefined),
  allowed: "true or false",
};

export function whole(smallest: number, largest: number): Kind<number> {
  return {
    parse: (text) => {
      const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return some(value >= smallest && value <= largest ? value : undefined);
    },
    allowed: `a whole number from ${smallest} to ${largest}`,
  };
}

export function oneOf<T extends string>(values: readonly T[]): Kind<T> {
  return {
    parse: (text) => some(values.find((value) => value === text)),
    allowed: `one of ${values.join(", ")}`,
  };
}

/** The words of a list, which spaces or commas separate; the file's lists are joined by spaces. */
export function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

export const addresses: Kind<readonly Address[]> = {
  parse: (text) => {
    const found = wordsOf(text).map(parseAddress);
    return some(found.includes(undefined) ? undefined : (found as Address[]));
  },
  allowed: `one or several of ${addressForms}, with a port from 0 to 65535`,
};

/** The absolute path of a text; undefined if it is not a path, "" for the empty text. */
const pathOf = (text: string) =>
  text.includes("\0") || looksLikeUrl(text) ? undefined : text && resolve(text);

export const optionalFile: Kind<string> = {
  parse: (text) => some(pathOf(text)),
  allowed: "the path of a file in PEM",
};

export const folder: Kind<string> = {
  parse: (text) => some(pathOf(text) || undefined),
  allowed: "the path of a folder",
};

export const optionalFolder: Kind<string> = {
  parse: (text) => some(pathOf(text)),
  allowed: "the path of a folder, or empty",
};

export const fileMode: Kind<number> = {
  parse: (text) => some(/^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined),
  allowed: "three octal digits, as 0770",
};

/** The SHA-256 of a password that is given as it is, or as "sha256:" and the hash in hex. */
export function parsePassword(text: string): Buffer | undefined {
  const hash = /^sha256:([0-9a-fA-F]{64})$/.exec(text)?.[1];
  if (hash !== undefined) return Buffer.from(hash, "hex");
  if (text === "" || text.startsWith("sha256:")) return undefined;
  return new Bun.CryptoHasher("sha256").update(text).digest();
}

export const passwordForms = "a password, or sha256: and 64 hexadecimal digits";

export const optionalPassword: Kind<Buffer | undefined> = {
  parse: (text) => (text === "" ? { value: undefined } : some(parsePassword(text))),
  allowed: passwordForms,
};

export const storeForms =
  "postgres://user:password@host:port/database, or etcd://host:port,host:port";

/** Whether a text has the form of a lease store's URL. */
function isStoreUrl(text: string): boolean {
  const url = readServiceUrl(text);
  if (url === undefined || url.hosts.includes("")) return false;
  if (url.scheme === "etcd") return url.hosts.every((host) => /:\d+$/.test(host));
  return ["postgres", "postgresql"].includes(url.scheme);
}

/** The URL of a lease store; empty for none. cluster/stores/open.ts checks the rest of it. */
export const storeUrl: Kind<string> = {
  parse: (text) => some(text === "" || isStoreUrl(text) ? text : undefined),
  allowed: `${storeForms}, ${encodedPassword}`,
};

/** How many nodes can share their lines without a lease store at most. */
const NODES_MAX = 1000;

/** The stripe of node i of n, as i/n; empty for none. */
export const stripe: Kind<string> = {
  parse: (text) => {
    const [, index, nodes] = /^([1-9][0-9]{0,3})\/([1-9][0-9]{0,3})$/.exec(text) ?? [];
    const isStripe = Number(index) <= Number(nodes) && Number(nodes) <= NODES_MAX;
    return some(text === "" || isStripe ? text : undefined);
  },
  allowed: `i/n, node i of n, with i from 1 to n and n up to ${NODES_MAX}`,
};
