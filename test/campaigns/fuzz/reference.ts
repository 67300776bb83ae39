/**
 * Which requests some bytes hold: a second reader beside that of the server, to check it by. It is
 * written from the rules of Redis (networking.c, processMultibulkBuffer and processInlineBuffer;
 * sds.c, sdssplitargs; util.c, string2ll) and from contract.md where that differs: a bulk must end
 * in CRLF, and a request as a whole has a limit. It is simple and slow, and looks at the bytes as a
 * whole, where the server looks at chunks.
 */

export interface ReaderLimits {
  readonly requestBytesMax: number;
  readonly requestArgumentsMax: number;
}

export type Found =
  /** A request that ends before `end`; one of no words asks for nothing. */
  | { readonly kind: "request"; readonly words: readonly string[]; readonly end: number }
  | { readonly kind: "incomplete" }
  /** A protocol error; `text` is what the reply must say where chunks do not decide on it. */
  | { readonly kind: "error"; readonly text: string };

const LINE_BYTES_MAX = 65_536;
const UNAUTHENTICATED_WORDS_MAX = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX = 16_384;

const INCOMPLETE: Found = { kind: "incomplete" };
const error = (text: string): Found => ({ kind: "error", text });

/** Reads the request at `from`. A stranger has not logged in and has lower limits. */
export function readRequest(
  bytes: string,
  from: number,
  limits: ReaderLimits,
  isUnauthenticated: boolean,
): Found {
  if (from === bytes.length) return INCOMPLETE;
  return bytes[from] === "*"
    ? readMultibulk(bytes, from, limits, isUnauthenticated)
    : readInline(bytes, from, limits);
}

function readMultibulk(
  bytes: string,
  from: number,
  limits: ReaderLimits,
  isUnauthenticated: boolean,
): Found {
  const head = readHeader(bytes, from);
  if ("kind" in head) return head;
  const { number: count } = head;
  if (count === undefined || count > limits.requestArgumentsMax) {
    return error("invalid multibulk length");
  }
  if (isUnauthenticated && count > UNAUTHENTICATED_WORDS_MAX)
    return error("unauthenticated multibulk length");
  const words: string[] = [];
  let at = head.end;
  while (words.length < count) {
    const bulk = readHeader(bytes, at);
    if ("kind" in bulk) return bulk;
    if (bytes[at] !== "$") {
      return error(`expected '$', got '${bytes[at]!.replace(/[\r\n]/, " ")}'`);
    }
    const { number: length } = bulk;
    const isTooLong = bulk.end - from + (length ?? 0) + 2 > limits.requestBytesMax;
    if (length === undefined || length < 0 || isTooLong) return error("invalid bulk length");
    if (isUnauthenticated && length > UNAUTHENTICATED_BULK_BYTES_MAX) {
      return error("unauthenticated bulk length");
    }
    const end = bulk.end + length;
    if (end + 2 > bytes.length) return INCOMPLETE;
    if (!bytes.startsWith("\r\n", end)) return error("expected CRLF after the bulk string");
    words.push(bytes.slice(bulk.end, end));
    at = end + 2;
  }
  return { kind: "request", words, end: at };
}

/** A header: a character, a number, CR and one byte more. The number is undefined for none. */
function readHeader(
  bytes: string,
  from: number,
): Found | { readonly number: number | undefined; readonly end: number } {
  const line = readLine(bytes, from, "\r");
  if (line === undefined) {
    return bytes.length - from > LINE_BYTES_MAX ? error("") : INCOMPLETE;
  }
  if (line.length > LINE_BYTES_MAX) return error("");
  const end = from + line.length + 2;
  if (end > bytes.length) return INCOMPLETE;
  return { number: readNumber(line.slice(1)), end };
}

/** The bytes before the mark. C's strchr() looks for it, so that none is found behind a NUL. */
function readLine(bytes: string, from: number, mark: string): string | undefined {
  const end = bytes.indexOf(mark, from);
  if (end < 0) return undefined;
  const line = bytes.slice(from, end);
  return line.includes("\0") ? undefined : line;
}

function readNumber(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^-?[1-9][0-9]{0,18}$/.test(text)) return undefined;
  if (text.length < 16) return Number(text);
  const number = BigInt(text);
  return number === BigInt.asIntN(64, number) ? Number(number) : undefined;
}

function readInline(bytes: string, from: number, { requestBytesMax }: ReaderLimits): Found {
  const line = readLine(bytes, from, "\n");
  const length = line === undefined ? bytes.length - from : line.length;
  if (length > Math.min(LINE_BYTES_MAX, requestBytesMax)) return error("too big inline request");
  if (line === undefined) return INCOMPLETE;
  const words = splitWords(line.endsWith("\r") ? line.slice(0, -1) : line);
  if (words === undefined) return error("unbalanced quotes in request");
  return { kind: "request", words, end: from + line.length + 1 };
}

const SPACE = /[ \t\n\v\f\r]*/y;
const PLAIN = /[^ \t\n\r"']*/y;
/** A quoted part ends its word, and a space or the line's end must come behind it. */
const DOUBLE = /"((?:\\[\s\S]|[^"\\])*)"(?![^ \t\n\v\f\r])/y;
const SINGLE = /'((?:\\'|\\(?!')|[^'\\])*)'(?![^ \t\n\v\f\r])/y;
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([\s\S]))/g;
const ESCAPED: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  a: "\x07",
};

/** The words of a line as sdssplitargs() takes them; undefined where quotes are unbalanced. */
function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(line);
    at += found?.[0].length ?? 0;
    return found;
  };
  for (;;) {
    match(SPACE);
    if (at === line.length) return words;
    let word = match(PLAIN)![0];
    if (line[at] === '"') {
      const inside = match(DOUBLE)?.[1];
      if (inside === undefined) return undefined;
      word += inside.replace(ESCAPE, (_, code: string | undefined, character: string) =>
        code === undefined
          ? (ESCAPED[character] ?? character)
          : String.fromCharCode(Number.parseInt(code, 16)),
      );
    } else if (line[at] === "'") {
      const inside = match(SINGLE)?.[1];
      if (inside === undefined) return undefined;
      word += inside.replaceAll("\\'", "'");
    }
    words.push(word);
  }
}
