/**
 * Patterns of KEYS, SCAN, CONFIG GET and users' names, matched as in Redis (util.c,
 * stringmatchlen).
 */

/** What one character of a text must be; a star stands for any number of them. */
type Element =
  /** Any characters, or none. */
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "one"; readonly character: string }
  /** One of the bytes that are marked. */
  | { readonly kind: "set"; readonly has: Uint8Array };

/** The longest text to match: a dispenser's name. A pattern that needs more matches nothing. */
const TEXT_BYTES_MAX = 255;

/**
 * A pattern of * ? [abc] [a-z] [^a] and \x, parsed once. Texts are byte strings. Consecutive stars
 * count as one, and a match takes at most (elements of the pattern) * (length of the text) steps.
 */
export class Pattern {
  private readonly elements: readonly Element[];
  /** The fewest characters a matching text has. */
  private readonly lengthMin: number;

  constructor(pattern: string) {
    this.elements = elementsOf(pattern);
    this.lengthMin = this.elements.filter(({ kind }) => kind !== "star").length;
  }

  matches(text: string): boolean {
    const { elements } = this;
    if (text.length < this.lengthMin || text.length > TEXT_BYTES_MAX) return false;
    let at = 0;
    let to = 0;
    // Where to try again when the rest does not match: the last star takes one character more.
    let starAt = -1;
    let starTo = 0;
    while (to < text.length) {
      const element = elements[at];
      if (element?.kind === "star") {
        starAt = at++;
        starTo = to;
      } else if (element !== undefined && fits(element, text, to)) {
        at++;
        to++;
      } else if (starAt >= 0) {
        at = starAt + 1;
        to = ++starTo;
      } else {
        return false;
      }
    }
    return at === elements.length || (at === elements.length - 1 && elements[at]!.kind === "star");
  }
}

function fits(element: Element, text: string, at: number): boolean {
  switch (element.kind) {
    case "one":
      return text[at] === element.character;
    case "set":
      return element.has[text.charCodeAt(at)] === 1;
    default:
      return true;
  }
}

function elementsOf(pattern: string): Element[] {
  const elements: Element[] = [];
  let at = 0;
  // At most every second element is a star: a pattern of more elements matches no text of this
  // length.
  while (at < pattern.length && elements.length <= 2 * TEXT_BYTES_MAX + 1) {
    const character = pattern[at++]!;
    if (character === "*") {
      if (elements.at(-1)?.kind !== "star") elements.push({ kind: "star" });
    } else if (character === "?") {
      elements.push({ kind: "any" });
    } else if (character === "[") {
      const has = new Uint8Array(256);
      at = readSet(pattern, at, has);
      elements.push({ kind: "set", has });
    } else if (character === "\\" && at < pattern.length) {
      elements.push({ kind: "one", character: pattern[at++]! });
    } else {
      elements.push({ kind: "one", character });
    }
  }
  return elements;
}

/** Reads a set that begins at `from`, behind its bracket; answers where the pattern goes on. */
function readSet(pattern: string, from: number, has: Uint8Array): number {
  const negated = pattern[from] === "^";
  let at = negated ? from + 1 : from;
  while (at < pattern.length && pattern[at] !== "]") {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      has[pattern.charCodeAt(at + 1)] = 1;
      at += 2;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const [low, high] = [pattern.charCodeAt(at), pattern.charCodeAt(at + 2)].sort(
        (a, b) => a - b,
      );
      has.fill(1, low!, high! + 1);
      at += 3;
    } else {
      has[pattern.charCodeAt(at)] = 1;
      at++;
    }
  }
  if (negated) for (let byte = 0; byte < has.length; byte++) has[byte] = 1 - has[byte]!;
  // A set without a closing bracket ends with the pattern.
  return Math.min(at + 1, pattern.length);
}
