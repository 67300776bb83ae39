/**
 * Jobs of one session: commands whose work grows with their input or their output. A job runs at
 * once as far as it gets in a slice of its turn; the rest runs in later turns, in turn with those of
 * other clients, as long as its own client is there.
 */

import type { ServerForCommands } from "../commands/command.ts";
import type { CallStats } from "../counters.ts";

/** The time that a job gets in the turn in which it begins. */
const JOB_MS = 1;

/** The interface of the session that jobs are part of. */
export interface JobOwner {
  readonly isServed: boolean;
  readonly isInTransaction: boolean;
  readonly stats: CallStats | undefined;
  block(work: Promise<() => void>, moreBytes?: number): void;
  withinLimits(work: () => void): void;
}

/** What a job needs of the server. */
type JobServer = Pick<ServerForCommands, "now" | "jobs">;

/**
 * Runs a job, which yields after each small step; a transaction runs all of it at once. `atEnd` is
 * called after the last step; `moreBytes` is what the job keeps beside the words of the request.
 * `onStep` is called in later turns, where the job may have grown what the client holds.
 */
export function runJob(
  server: JobServer,
  owner: JobOwner,
  job: Iterator<undefined>,
  { atEnd, moreBytes, onStep }: { atEnd: () => void; moreBytes: number; onStep: () => void },
): void {
  const endMs = server.now() + JOB_MS;
  while (job.next().done !== true) {
    if (owner.isInTransaction || server.now() <= endMs) continue;
    const rest = finish(server, owner, job, onStep);
    return owner.block(
      rest.then(() => () => timed(server, owner, atEnd)),
      moreBytes,
    );
  }
  atEnd();
}

/** Does the rest of a job in slices, as long as the client stays connected. */
function finish(
  server: JobServer,
  owner: JobOwner,
  job: Iterator<undefined>,
  onStep: () => void,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  server.jobs.add(() => {
    let isDone = false;
    timed(server, owner, () =>
      owner.withinLimits(() => {
        isDone = owner.isServed && job.next().done === true;
        onStep();
      }),
    );
    if (!isDone && owner.isServed) return false;
    done.resolve();
    return true;
  });
  return done.promise;
}

/** Runs a part of a command that did not end in its first turn, and counts its time. */
function timed({ now }: JobServer, { stats }: JobOwner, work: () => void): void {
  const beganMs = now();
  work();
  if (stats !== undefined) stats.microseconds += (now() - beganMs) * 1000;
}
