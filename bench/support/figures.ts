/** Summarizes figures of several rounds by their median and range. */

export interface Spread {
  readonly least: number;
  readonly middle: number;
  readonly most: number;
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

export function spreadOf(values: readonly number[]): Spread {
  return { least: Math.min(...values), middle: median(values), most: Math.max(...values) };
}

/** The ratios of each round: a disturbance of the machine affects both sides of a round. */
export function ratios(these: readonly number[], those: readonly number[]): number[] {
  return these.map((value, round) => value / those[round]!);
}

/** The median and the range, as "1.02 (0.98–1.05)". */
export function spreadText({ least, middle, most }: Spread, digits = 2): string {
  return `${middle.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

/** A short form of a count, as "76.3k" or "1.24M". */
export function short(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)}M`;
  return count >= 1000 ? `${(count / 1000).toFixed(1)}k` : count.toFixed(0);
}
