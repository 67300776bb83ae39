/** What somebody may have meant who mistyped a word of the command line. */

/** Of a longer word two letters may be wrong. */
const LONG = 6;

/** " (did you mean health?)", or an empty text if no known word is like this one. */
export function didYouMean(word: string, known: readonly string[]): string {
  const typed = word.toLowerCase();
  const most = typed.length < LONG ? 1 : 2;
  const near = known
    .map((each) => ({ each, edits: editDistance(typed, each) }))
    .filter(({ edits }) => edits <= most)
    .sort((one, other) => one.edits - other.edits);
  return near.length === 0 ? "" : ` (did you mean ${near[0]!.each}?)`;
}

/** How many letters have to be put in, taken out, changed or swapped with their neighbour. */
export function editDistance(from: string, to: string): number {
  const rows = [...Array(from.length + 1).keys()].map((row) => [row]);
  rows[0] = [...Array(to.length + 1).keys()];
  for (let row = 1; row <= from.length; row++) {
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      rows[row]![column] = Math.min(
        rows[row - 1]![column]! + 1,
        rows[row]![column - 1]! + 1,
        rows[row - 1]![column - 1]! + (isSame ? 0 : 1),
        isSwapped ? rows[row - 2]![column - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
  }
  return rows[from.length]![to.length]!;
}
