/** The kinds of values that settings have: how each is read from a text, and what is allowed. */

import { resolve } from "node:path";
import { type Address, addressForms, parseAddress } from "./address.ts";

export interface Kind<T> {
  /** The value of a text, or undefined; `allowed` then completes "must be ...". */
  readonly parse: (text: string) => { readonly value: T } | undefined;
  readonly allowed: string;
}

/** What a parser answers for a value; undefined for none. */
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

/** The words of a list: separated by spaces or commas, as in the file's lists, too. */
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

/** A path; undefined for none, "" for the empty text. */
const pathOf = (text: string) => (text.includes("\0") ? undefined : text && resolve(text));

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

/** SHA-256 of a password that is given as it is, or as sha256: and the hash in hex. */
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

const postgresUrl = /^postgres(ql)?:\/\/[^\s/?]\S*$/;
const etcdUrl = /^etcd:\/\/([^\s@/]*@)?[^\s,/?@]+:\d{1,5}(,[^\s,/?@]+:\d{1,5})*([/?]\S*)?$/;

/** The URL of a shared store; empty for none. Who opens it looks at the rest (cluster/stores/open.ts). */
export const storeUrl: Kind<string> = {
  parse: (text) => {
    const isUrl = postgresUrl.test(text) || etcdUrl.test(text);
    return some(text === "" || isUrl ? text : undefined);
  },
  allowed: storeForms,
};

/** So many nodes can share their lines without a store. */
const NODES_MAX = 1000;

/** Node i of n, as i/n; empty for none. */
export const stripe: Kind<string> = {
  parse: (text) => {
    const [, index, nodes] = /^([1-9][0-9]{0,3})\/([1-9][0-9]{0,3})$/.exec(text) ?? [];
    const isStripe = Number(index) <= Number(nodes) && Number(nodes) <= NODES_MAX;
    return some(text === "" || isStripe ? text : undefined);
  },
  allowed: `i/n, node i of n, with i from 1 to n and n up to ${NODES_MAX}`,
};
