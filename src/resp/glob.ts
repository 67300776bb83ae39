/** Patterns of KEYS, SCAN and CONFIG GET as Redis matches them (util.c, stringmatchlen). */

/** Whether a text matches a pattern of * ? [abc] [a-z] [^a] and \x; in time |pattern| * |text|. */
export function matches(pattern: string, text: string): boolean {
  let at = 0;
  let to = 0;
  // Where to go on when what follows the last star does not fit: one character further.
  let starAt = -1;
  let starTo = 0;
  while (to < text.length) {
    if (pattern[at] === "*") {
      starAt = at++;
      starTo = to;
      continue;
    }
    const next = at < pattern.length ? matchOne(pattern, at, text[to]!) : -1;
    if (next >= 0) {
      at = next;
      to++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      to = ++starTo;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Where the pattern goes on if what stands at `at` matches the character; -1 if not. */
function matchOne(pattern: string, at: number, character: string): number {
  switch (pattern[at]) {
    case "?":
      return at + 1;
    case "[":
      return matchSet(pattern, at + 1, character);
    case "\\":
      if (at + 1 < pattern.length) return pattern[at + 1] === character ? at + 2 : -1;
      return character === "\\" ? at + 1 : -1;
    default:
      return pattern[at] === character ? at + 1 : -1;
  }
}

function matchSet(pattern: string, from: number, character: string): number {
  const negated = pattern[from] === "^";
  let at = negated ? from + 1 : from;
  let found = false;
  while (at < pattern.length && pattern[at] !== "]") {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      found ||= pattern[at + 1] === character;
      at += 2;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const ends = [pattern[at]!, pattern[at + 2]!].sort();
      found ||= character >= ends[0]! && character <= ends[1]!;
      at += 3;
    } else {
      found ||= pattern[at] === character;
      at++;
    }
  }
  // A set that is not closed ends with the pattern.
  const next = Math.min(at + 1, pattern.length);
  return found !== negated ? next : -1;
}
