/**
 * URLs that may hold a password, read strictly and shown without it. What is not read as a URL here
 * is not shown at all where it looks like one: nobody can tell which part of it is the password.
 */

/** The parts of `scheme://user:password@host:port,host:port/path?query`. */
export interface ServiceUrl {
  readonly scheme: string;
  /** Percent-decoded, as the password; undefined for none. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Each as host, host:port or [ipv6]:port; one that is empty for none. */
  readonly hosts: readonly string[];
  /** With its slash; empty for none. */
  readonly path: string;
  readonly query: string;
  /** The URL without user, password and query. */
  readonly shown: string;
}

/** What error texts say of a password in a URL. */
export const encodedPassword =
  "with / # ? @ % of a password percent-encoded (as %2F %23 %3F %40 %25)";

const FORM =
  /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?#@\s]*)@)?([^/?#@\s]*)(\/[^?#@\s]*)?(?:\?([^#@\s]*))?$/i;
const HOST = /^(?:[\p{L}\p{N}._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/iu;
const PORT_MAX = 65_535;

/** Reads a URL; undefined if the text is none, or has a character that must be percent-encoded. */
export function readServiceUrl(text: string): ServiceUrl | undefined {
  const [, scheme, credentials, authority, path = "", query = ""] = FORM.exec(text) ?? [];
  if (scheme === undefined) return undefined;
  const hosts = authority!.split(",");
  const isHost = (host: string) => Number(HOST.exec(host)?.[1] ?? 0) <= PORT_MAX && HOST.test(host);
  if (authority !== "" && !hosts.every(isHost)) return undefined;
  const [, user, password] = /^([^:]*)(?::(.*))?$/s.exec(credentials ?? "") ?? [];
  try {
    decodeURIComponent(path);
    return {
      ...{ scheme: scheme.toLowerCase(), hosts, path, query },
      user: credentials === undefined ? undefined : decodeURIComponent(user!),
      password: password === undefined ? undefined : decodeURIComponent(password),
      shown: `${scheme}://${authority}${path}`,
    };
  } catch {
    // A percent sign that begins no encoded character.
    return undefined;
  }
}

/** Whether a text that should be a path or a name is a URL, or the attempt at one. */
export const looksLikeUrl = (text: string) => /^[a-z][a-z0-9+.-]*:(?:\/\/|.*@)/is.test(text);

/** A value that the user gave, for error texts: a URL without its password, anything else as it is. */
export function shownText(text: string): string {
  const mayHoldPassword = /:\/\/|:.*@/s.test(text);
  return mayHoldPassword ? (readServiceUrl(text)?.shown ?? "…") : text;
}

/** A text without these secrets; an empty one is none. */
export function hidden(text: string, ...secrets: readonly string[]): string {
  return secrets.reduce(
    (left, secret) => (secret === "" ? left : left.replaceAll(secret, "…")),
    text,
  );
}
