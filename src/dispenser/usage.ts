/** How far a line is used up, in steps that an operator should hear of. */

/** The percentages at which the log tells of a line. */
const STEPS: readonly bigint[] = [80n, 90n, 99n, 100n];

/** The position at which so much of a line is used: rounded up, so that no less is. */
function positionOf(percent: bigint, positions: bigint): bigint {
  return (positions * percent + 99n) / 100n;
}

/** The step that a line has reached at a position; undefined below the first one. */
export function usageStep(position: bigint, positions: bigint): number | undefined {
  const step = STEPS.findLast((percent) => position >= positionOf(percent, positions));
  return step === undefined ? undefined : Number(step);
}

/** The position at which a line reaches its next step; undefined behind the last one. */
export function nextUsageStep(position: bigint, positions: bigint): bigint | undefined {
  const step = STEPS.find((percent) => position < positionOf(percent, positions));
  return step === undefined ? undefined : positionOf(step, positions);
}
