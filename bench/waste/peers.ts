/**
 * What generators waste that fetch whole segments and remember nothing finer: Leaf, TinyID, CosId
 * and idgo are built like this. Computed from how they work, not measured.
 */

/** The step their documentation starts from. */
export const SEGMENT = 1000;
/** Where the next segment is fetched early, it is there once this part of one is used (Leaf). */
const FETCHED_AT = 0.1;

/** The worst share wasted by a stop near the end of a life of so many numbers. */
export function wastedByOneSegment(numbers: number): number {
  // Worst is a stop right after the first number of a segment.
  const wasted = numbers < SEGMENT ? SEGMENT - numbers : SEGMENT - 1;
  return wasted / (numbers + wasted);
}

/** The same where the next segment is fetched early and lost with the present one. */
export function wastedByTwoSegments(numbers: number): number {
  const fetchedAt = SEGMENT * FETCHED_AT;
  if (numbers < fetchedAt) return wastedByOneSegment(numbers);
  const wasted = 2 * SEGMENT - Math.min(numbers, fetchedAt);
  return wasted / (numbers + wasted);
}
