/**
 * What the next commit writes of a dispenser, and what changes in the dispenser when that commit
 * succeeded or failed.
 *
 * Invariant: the reservation in memory is raised only after the one on disk.
 */

import { assert } from "../base/assert.ts";
import { compact, type Dispenser, NONE, REPLACED } from "./dispenser.ts";
import { isPossible, type Reservation, type Segment } from "./reservation.ts";
import { reserveAhead, segmentBeyond } from "./strategy.ts";

/**
 * Works out what the next commit writes; committed() with that, or rolledBack(), must follow. The
 * last commit took `commitMs`.
 */
export function prepare(dispenser: Dispenser, nowMs: number, commitMs = 0): Reservation {
  let reserved =
    dispenser.change === REPLACED ? dispenser.taken : Math.max(dispenser.reserved, dispenser.taken);
  let ahead = 0;
  if (
    !dispenser.reservesInMemory &&
    dispenser.change === NONE &&
    dispenser.taken >= dispenser.refillThreshold
  ) {
    const used = dispenser.taken - dispenser.takenAtReserve;
    const spanMs = nowMs - dispenser.reservedAtMs;
    ahead = reserveAhead(dispenser.strategy, dispenser.acknowledged, used, spanMs, commitMs);
    reserved = Math.max(reserved, Math.min(dispenser.capacity, dispenser.taken + ahead));
    dispenser.reservedAtMs = nowMs;
    dispenser.takenAtReserve = dispenser.taken;
  }
  return reservation(dispenser, reserved, ahead);
}

/**
 * Works out what the clean close writes: the counts, and the exact position where the strategy says
 * so. With other strategies the numbers that lie reserved ahead are lost from now on, and count as
 * wasted.
 */
export function prepareClose(dispenser: Dispenser): Reservation {
  const upTo = dispenser.strategy.exactAtClose ? dispenser.taken : dispenser.reserved;
  const change = reservation(dispenser, upTo, 0);
  const { reserved, generated, wasted } = change.account;
  const lost = dispenser.hasPositions ? reserved - generated - wasted : 0n;
  return { ...change, account: { reserved, generated, wasted: wasted + lost } };
}

/** The commit succeeded: memory follows the disk. */
export function committed(dispenser: Dispenser, { account, segment, replaces }: Reservation): void {
  if (!dispenser.reservesInMemory) dispenser.reserved = Number(account.reserved - dispenser.start);
  if (segment !== undefined) dispenser.segmentEnd = compact(segment.last + 1n);
  else if (replaces) dispenser.segmentEnd = compact(account.reserved);
  dispenser.generatedSaved = dispenser.generated;
  dispenser.takenSaved = dispenser.taken;
  dispenser.acknowledged = dispenser.generatedInLife;
  if (dispenser.skipped > 0n) dispenser.rareState = { ...dispenser.rareState, skipped: 0n };
  dispenser.change = NONE;
  dispenser.updateThresholds();
}

/**
 * The commit failed: the numbers taken beyond the reservation come back, and are the next again.
 */
export function rolledBack(dispenser: Dispenser): void {
  if (dispenser.taken <= dispenser.reserved) return;
  dispenser.taken = dispenser.reserved;
  dispenser.source = undefined;
}

/**
 * The change with which a line is reserved up to `upTo`, counted from `origin`; `ahead` numbers of
 * it are not taken yet.
 */
function reservation(dispenser: Dispenser, upTo: number, ahead: number): Reservation {
  const reserved = dispenser.reservesInMemory ? dispenser.position : dispenser.start + BigInt(upTo);
  const keeps = dispenser.hasPositions ? dispenser.strategy.keeps : "position";
  const replaces = dispenser.change === REPLACED;
  const first = replaces ? reserved : BigInt(dispenser.segmentEnd);
  let segment: Segment | undefined;
  // In pre-base the end of a segment is the reservation: there has to be one from the start, even
  // an empty one.
  const grows = reserved > first || (replaces && keeps === "segments");
  if (grows && (keeps === "segments" || keeps === "checkpoint")) {
    const beyond = segmentBeyond(dispenser.strategy, ahead);
    // A line that came back to a period may have gone past what that has left.
    const most = Math.max(upTo, Math.min(dispenser.capacity, upTo + beyond));
    const end = dispenser.start + BigInt(most);
    segment = { first, last: end - 1n };
  }
  const { id, definition, keepsNothing, rareState } = dispenser;
  const account = keepsNothing ? rareState.restartPoint : dispenser.account(reserved);
  assert(
    isPossible(account, definition.type, definition.localPositionsMax),
    "a row that a start would refuse",
  );
  const run = keepsNothing ? rareState.restartRun : dispenser.run;
  return {
    id,
    keeps,
    account,
    segment,
    replaces,
    run: dispenser.change === NONE ? undefined : run,
  };
}
