/** How far a line is used up, in steps that an operator should hear of. */

/** The percentages at which the log tells of a line. */
export type Steps = readonly bigint[];
export const STEPS_OF_LINE: Steps = [80n, 90n, 99n, 100n];
/** Of a line that begins again in each period: it tells as often as they come. */
export const STEPS_OF_PERIOD: Steps = [80n, 100n];

export interface Usage {
  /** How many numbers are used, of so many. */
  readonly used: bigint;
  readonly size: bigint;
  readonly steps: Steps;
}

/** How many numbers are so much of a line: rounded up, so that no less is. */
function numbersAt(percent: bigint, { size }: Usage): bigint {
  return (size * percent + 99n) / 100n;
}

/** The step that a line has reached; undefined below the first one. */
export function usageStep(usage: Usage): number | undefined {
  const step = usage.steps.findLast((percent) => usage.used >= numbersAt(percent, usage));
  return step === undefined ? undefined : Number(step);
}

/** How many numbers are used when a line reaches its next step; undefined behind the last one. */
export function nextUsageStep(usage: Usage): bigint | undefined {
  const step = usage.steps.find((percent) => usage.used < numbersAt(percent, usage));
  return step === undefined ? undefined : numbersAt(step, usage);
}
