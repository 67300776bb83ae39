/**
 * Patterns of KEYS, SCAN, CONFIG GET and users' names, matched as in Redis (util.c,
 * stringmatchlen).
 */

/**
 * What one character of a text must be: its code, or one of these. A star stands for any number of
 * characters. SET and more is a set of characters, the next one each time.
 */
const STAR = 256;
const ANY = 257;
const SET = 258;

/** The bytes of a set: a bit for each character that it has. */
const SET_BYTES = 32;

/** The longest text to match: a dispenser's name. A pattern that needs more matches nothing. */
const TEXT_BYTES_MAX = 255;

/**
 * A pattern of * ? [abc] [a-z] [^a] and \x, parsed once. Texts are byte strings. Consecutive stars
 * count as one, and a match takes at most (elements of the pattern) * (length of the text) steps.
 */
export class Pattern {
  private readonly elements: Uint16Array;
  private readonly sets: Uint8Array;
  /** The fewest characters a matching text has. */
  private readonly lengthMin: number;

  constructor(pattern: string) {
    const { elements, sets } = elementsOf(pattern);
    this.elements = elements;
    this.sets = sets;
    this.lengthMin = elements.filter((element) => element !== STAR).length;
  }

  /** The memory that it takes, in bytes. */
  get bytes(): number {
    return this.elements.byteLength + this.sets.byteLength;
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
      if (element === STAR) {
        starAt = at++;
        starTo = to;
      } else if (element !== undefined && this.fits(element, text.charCodeAt(to))) {
        at++;
        to++;
      } else if (starAt >= 0) {
        at = starAt + 1;
        to = ++starTo;
      } else {
        return false;
      }
    }
    return at === elements.length || (at === elements.length - 1 && elements[at] === STAR);
  }

  private fits(element: number, character: number): boolean {
    if (element < STAR) return character === element;
    if (element === ANY) return true;
    if (character > 255) return false;
    return (
      (this.sets[SET_BYTES * (element - SET) + (character >> 3)]! & (1 << (character & 7))) > 0
    );
  }
}

function elementsOf(pattern: string): { elements: Uint16Array; sets: Uint8Array } {
  const elements: number[] = [];
  const sets: number[] = [];
  let at = 0;
  // At most every second element is a star: a pattern of more elements matches no text of this
  // length.
  while (at < pattern.length && elements.length <= 2 * TEXT_BYTES_MAX + 1) {
    const character = pattern[at++]!;
    if (character === "*") {
      if (elements.at(-1) !== STAR) elements.push(STAR);
    } else if (character === "?") {
      elements.push(ANY);
    } else if (character === "[") {
      elements.push(SET + sets.length / SET_BYTES);
      at = readSet(pattern, at, sets);
    } else if (character === "\\" && at < pattern.length) {
      elements.push(pattern.charCodeAt(at++));
    } else {
      elements.push(character.charCodeAt(0));
    }
  }
  return { elements: Uint16Array.from(elements), sets: Uint8Array.from(sets) };
}

/** The bytes of the set that is being read. */
const bits = new Uint8Array(SET_BYTES);

function mark(low: number, high: number): void {
  for (let byte = low; byte <= high; byte++) bits[byte >> 3]! |= 1 << (byte & 7);
}

/**
 * Reads a set that begins at `from`, behind its bracket, and appends its bytes; answers where the
 * pattern goes on.
 */
function readSet(pattern: string, from: number, sets: number[]): number {
  bits.fill(0);
  const negated = pattern[from] === "^";
  let at = negated ? from + 1 : from;
  while (at < pattern.length && pattern[at] !== "]") {
    const one = pattern.charCodeAt(at);
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      const escaped = pattern.charCodeAt(at + 1);
      mark(escaped, escaped);
      at += 2;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const other = pattern.charCodeAt(at + 2);
      mark(Math.min(one, other), Math.max(one, other));
      at += 3;
    } else {
      mark(one, one);
      at++;
    }
  }
  for (const byte of bits) sets.push(negated ? 255 - byte : byte);
  // A set without a closing bracket ends with the pattern.
  return Math.min(at + 1, pattern.length);
}
