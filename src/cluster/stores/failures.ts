/**
 * Why a store did not do what it was asked, in plain words: which address, what is wrong there, and
 * what may help.
 *
 * Invariant: of the texts of Bun, whose clients reach the stores, none is passed on. What the store
 * itself said is quoted.
 */

import { lookup } from "node:dns/promises";
import { LeaseStoreUnavailable } from "./store.ts";

/** How long the name of a host is looked up to tell an unknown one from one that refuses. */
const LOOKUP_MS = 500;
/** What is quoted of a store's text at most. */
const QUOTED_MAX = 200;

const unheard = (place: string) =>
  `nothing listens at ${place}, or a firewall refuses the connection`;
const notFound = (place: string) =>
  `the host of ${place} is not known: look at its name, and at the DNS of this machine`;
const lost = (place: string) => `the connection to ${place} was lost before the answer came`;
export const notInTime = (place: string, milliseconds: number) =>
  `${place} did not answer within ${milliseconds} ms`;

/** Errors of a connection, by the code that Bun gives them. */
const CONNECTION: Readonly<Record<string, (place: string) => string>> = {
  ECONNREFUSED: unheard,
  ENOTFOUND: notFound,
  EAI_AGAIN: notFound,
  ECONNRESET: (place) =>
    `${place} closed the connection without an answer: does it speak TLS only, or another protocol?`,
  EPROTO: (place) => `${place} does not speak TLS, and the URL asks for it`,
  Malformed_HTTP_Response: (place) => `${place} does not speak HTTP: is it an etcd?`,
  ERR_POSTGRES_CONNECTION_REFUSED: unheard,
  ERR_POSTGRES_CONNECTION_CLOSED: lost,
  ERR_POSTGRES_CONNECTION_FAILED: (place) =>
    `${place} closed the connection without an answer: is it a PostgreSQL?`,
  ERR_POSTGRES_CONNECTION_TIMEOUT: (place) =>
    `${place} took the connection and did not answer: is it a PostgreSQL that is well?`,
  ERR_BORINGSSL: () => "a file of the URL has no certificate or key in it that can be used",
  ERR_POSTGRES_TLS_NOT_AVAILABLE: (place) =>
    `${place} does not speak TLS, and the sslmode of the URL asks for it`,
};

/** What is wrong with a certificate, by the code that Bun gives the error. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: "is of another host name",
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "is signed by itself, and is not the one of the URL's authority",
  SELF_SIGNED_CERT_IN_CHAIN: "is signed by an authority that this machine does not trust",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "is signed by an authority that this machine does not trust",
  UNABLE_TO_GET_ISSUER_CERT: "is signed by an authority that this machine does not trust",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "is signed by an authority that this machine does not trust",
};

/** What may help, by the SQLSTATE that PostgreSQL answered (its manual, appendix A). */
const HELP: Readonly<Record<string, string>> = {
  "28P01": "the user or the password of the URL is wrong",
  "28000": "look at the user of the URL, and at pg_hba.conf",
  "3D000": "make the database, or name another in the URL",
  "42501": "the user needs the rights that docs/CLUSTER.md lists",
  "25006": "this is a replica: name the primary in the URL",
  "53300": "raise max_connections, or use a pooler in session mode",
  "57P03": "it is starting or stopping",
  // What a statement gets that does not find what the one before it left on the connection.
  "26000": "a pooler in between must use session mode",
  "42P05": "a pooler in between must use session mode",
};

interface Failed {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly errno?: unknown;
}

/** Whether the request certainly did not reach its address. */
export function wasUnheard(error: unknown): boolean {
  const { code } = error as Failed;
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"].includes(String(code));
}

/** Why PostgreSQL at `place`, as host:port, failed. */
export async function whyPostgres(error: unknown, place: string): Promise<string> {
  if (error instanceof LeaseStoreUnavailable) return error.message;
  const { code, errno: state, message = "" } = error as Failed;
  if (typeof state === "string") {
    const help = HELP[state] === undefined ? "" : `: ${HELP[state]}`;
    return `PostgreSQL at ${place} says: ${quote(message)} (${state})${help}`;
  }
  // Bun gives an unknown host the same code as a port at which nothing listens.
  const isUnknown = code === "ERR_POSTGRES_CONNECTION_REFUSED" && !(await isKnown(place));
  return isUnknown ? notFound(place) : (whyNotConnected(code, place) ?? unexpected(code, place));
}

/** Why the HTTP of an etcd's member at `place`, as host:port, failed. */
export function whyHttp(error: unknown, place: string, limitMs: number): string {
  if (error instanceof LeaseStoreUnavailable) return error.message;
  const { code, name } = error as Failed;
  if (name === "TimeoutError") return notInTime(place, limitMs);
  return whyNotConnected(code, place) ?? unexpected(code, place);
}

/** Why what answered refused the request with what it `said`, or is no etcd. */
export function whyRefused(said: string | undefined, status: number, place: string): string {
  return said === undefined
    ? `${place} answers HTTP ${status} and not as an etcd: is it one, of version 3.4 or later?`
    : `etcd at ${place} says: ${quote(said)}`;
}

function whyNotConnected(code: unknown, place: string): string | undefined {
  const text = String(code);
  if (Object.hasOwn(CERTIFICATE, text)) return `the certificate of ${place} ${CERTIFICATE[text]}`;
  return Object.hasOwn(CONNECTION, text) ? CONNECTION[text]!(place) : undefined;
}

/** An error that is not known here: its code in words, which says more than nothing. */
function unexpected(code: unknown, place: string): string {
  const words = typeof code === "string" ? code.replace(/^ERR_(POSTGRES_)?/, "") : "";
  const why = words.toLowerCase().replaceAll("_", " ").trim();
  return `the connection to ${place} failed${why === "" ? "" : ` (${why})`}`;
}

async function isKnown(place: string): Promise<boolean> {
  const host = place.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const found = lookup(host).then(
    () => true,
    () => false,
  );
  return Promise.race([found, Bun.sleep(LOOKUP_MS).then(() => true)]);
}

/** The error in an answer of etcd; undefined if it is none. */
export function messageIn(text: string): string | undefined {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    const said = message ?? error;
    return typeof said === "string" ? said : undefined;
  } catch {
    return undefined;
  }
}

/** A text of a store, on one line and cut. */
function quote(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > QUOTED_MAX ? `${line.slice(0, QUOTED_MAX)}…` : line;
}
