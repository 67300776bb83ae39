/**
 * Inline requests: a line of words, as typed into netcat. Quoting is that of Redis (sds.c,
 * sdssplitargs): "..." with the escapes \n \r \t \b \a \xHH and \c; '...' with the escape \' only.
 */

const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

/** The characters between words (C's isspace), and those that end a word without quotes. */
const SPACES = " \t\n\v\f\r";
const ENDS = " \t\n\r";
const HEX = /^x[0-9a-fA-F]{2}$/;

/** The words of a line; undefined if its quotes are unbalanced. */
export function splitLine(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at]!)) at++;
    if (at === line.length) return words;
    let word = "";
    while (at < line.length && !ENDS.includes(line[at]!)) {
      const quote = line[at]!;
      if (quote !== '"' && quote !== "'") {
        word += line[at++];
        continue;
      }
      const end = quote === '"' ? closeDouble(line, at + 1) : closeSingle(line, at + 1);
      // Only a space or the end of the line may follow a closing quote.
      if (end < 0 || (end + 1 < line.length && !isSpace(line[end + 1]!))) return undefined;
      const inside = line.slice(at + 1, end);
      word += quote === '"' ? unescapeDouble(inside) : inside.replaceAll("\\'", "'");
      at = end + 1;
      // A closing quote ends the word, even before a space that would not end it by itself.
      break;
    }
    words.push(word);
  }
}

function isSpace(character: string): boolean {
  return SPACES.includes(character);
}

function closeDouble(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === "\\" && at + 1 < line.length) at++;
    else if (line[at] === '"') return at;
  }
  return -1;
}

function closeSingle(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === "\\" && line[at + 1] === "'") at++;
    else if (line[at] === "'") return at;
  }
  return -1;
}

function unescapeDouble(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[\s\S])/g, (_, escaped: string) =>
    HEX.test(escaped)
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (escapes[escaped] ?? escaped),
  );
}
