/**
 * The waste of generators that fetch whole segments and keep nothing finer, as Leaf, TinyID, CosId
 * and idgo do. It is computed from their design, not measured.
 */

/** The segment that their documentation begins with. */
export const SEGMENT = 1000;
/** The part of a segment after whose use the next one is fetched early (Leaf). */
const FETCHED_AT = 0.1;

/** The worst share wasted by a stop near the end of a life of so many numbers. */
export function wastedByOneSegment(numbers: number): number {
  // The worst stop is right after the first number of a segment.
  const wasted = numbers < SEGMENT ? SEGMENT - numbers : SEGMENT - 1;
  return wasted / (numbers + wasted);
}

/** The same if the next segment is fetched early and lost with the present one. */
export function wastedByTwoSegments(numbers: number): number {
  const fetchedAt = SEGMENT * FETCHED_AT;
  if (numbers < fetchedAt) return wastedByOneSegment(numbers);
  const wasted = 2 * SEGMENT - Math.min(numbers, fetchedAt);
  return wasted / (numbers + wasted);
}
