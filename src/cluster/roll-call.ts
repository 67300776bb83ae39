/**
 * A roll call: all members are asked to look at their own rows. One whose row is not as it left it knows that the
 * store went back in time, and says so instead of answering. After a start, a lost connection, and whenever the
 * store itself was started anew, a node writes nothing else before that: it cannot know by itself what the store
 * forgot of others.
 *
 * Invariant: confirm() is reached only in one run of the store, in which each member answered a call made in it,
 * or did not answer for CONFIRM_MS. A member that did not answer is not waited for longer, unless the store has
 * another timeline: then only all of them can say that nothing is missing.
 */

import { type Moment, StoreUnavailable } from "../store/shared.ts";
import type { FencedStore } from "./fenced-store.ts";
import { type Clock, StoreWentBack } from "./history.ts";
import {
  CLUSTER,
  encode,
  NODE_PREFIX,
  nodeKey,
  ROLL,
  type RollRecord,
  readCluster,
  readNode,
  readRoll,
} from "./records.ts";

/** A member that is there answers within this: it looks several times in it. */
export const CONFIRM_MS = 3000;
/** So often the answers are looked for. */
const LOOK_MS = 50;
/** Where many nodes notice the same thing, one of them calls: they wait a random part of this. */
const SPREAD_MS = 200;
/** The first program that answers roll calls. */
const ANSWERS_FROM_LEVEL = 2;

export interface RollCallOptions {
  readonly store: FencedStore;
  readonly node: string;
  readonly clock: Clock;
  /** Does something with the store when it is this one's turn. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Members that did not answer, whose writes nobody vouches for. */
  readonly onMissing: (nodes: readonly string[]) => void;
}

interface Member {
  readonly node: string;
  readonly level: number;
}

/**
 * Calls the roll and lets the store be written. `isFirst`: the node was just started, and others hardly at the
 * same time. Throws StoreUnavailable; StoreWentBack where a new timeline is not confirmed by all.
 */
export async function callRoll(options: RollCallOptions, isFirst: boolean): Promise<void> {
  const { store, clock, inTurn, onMissing } = options;
  const untilMs = clock.now() + CONFIRM_MS;
  const { rows, moment: begun } = await inTurn(() => store.read([ROLL]));
  // A call from before this one began may have been answered by what the store forgot since.
  const known = readRoll(rows.get(ROLL))?.call ?? 0;
  if (!isFirst) await clock.sleep(clock.random() * SPREAD_MS);
  const call = await inTurn(() => callOrJoin(options, known));
  for (;;) {
    const { missing, moment } = await inTurn(() => findMissing(options, call));
    if (moment.timeline !== begun.timeline || moment.term !== begun.term) {
      throw new StoreUnavailable("it was started anew just now");
    }
    const isWaitedFor = missing.some(({ level }) => level >= ANSWERS_FROM_LEVEL);
    if (!isWaitedFor || clock.now() >= untilMs) {
      await inTurn(() => acceptTimeline(options, moment, missing));
      if (missing.length > 0) onMissing(missing.map(({ node }) => node));
      return store.confirm(moment);
    }
    await clock.sleep(LOOK_MS);
  }
}

/** Makes the next call, or answers one that another node made after the one that was known. */
function callOrJoin({ store, node }: RollCallOptions, known: number): Promise<number> {
  const own = nodeKey(node);
  return store.transact(
    [ROLL],
    (rows) => {
      const last = readRoll(rows.get(ROLL))?.call ?? 0;
      const call = Math.max(last, known + 1);
      const puts = new Map<string, string>();
      if (call > last) puts.set(ROLL, encode({ call } satisfies RollRecord));
      const isAnswered = readNode(rows.get(own))!.answered >= call;
      return { puts, result: call, ...(!isAnswered && { own: { answered: call } }) };
    },
    true,
  );
}

/** Answers a call, after the node's own row was found as it left it. */
export async function answerCall(store: FencedStore, call: number): Promise<void> {
  const work = () => ({
    puts: new Map<string, string>(),
    result: undefined,
    own: { answered: call },
  });
  await store.transact([], work, true);
}

/** The other members that have not answered. */
async function findMissing(
  { store, node }: RollCallOptions,
  call: number,
): Promise<{ readonly missing: readonly Member[]; readonly moment: Moment }> {
  const { rows, moment } = await store.list(NODE_PREFIX);
  const missing: Member[] = [];
  for (const [key, row] of rows) {
    const { state, answered, level } = readNode(row)!;
    const name = key.slice(NODE_PREFIX.length);
    const hasAnswered = state !== "member" || answered >= call || name === node;
    if (!hasAnswered) missing.push({ node: name, level });
  }
  return { missing, moment };
}

/** Writes down a timeline that all members confirmed; with one missing it stays in doubt. */
async function acceptTimeline(
  { store }: RollCallOptions,
  { timeline }: Moment,
  missing: readonly Member[],
): Promise<void> {
  const { rows } = await store.read([CLUSTER]);
  const cluster = readCluster(rows.get(CLUSTER))!;
  if (cluster.timeline === timeline) return;
  if (missing.length > 0) {
    throw new StoreWentBack(
      `it goes by timeline ${timeline} after ${cluster.timeline}, and node ${missing[0]!.node} did not confirm ` +
        "what it wrote before",
    );
  }
  await store.transact(
    [],
    (found) => {
      const present = readCluster(found.get(CLUSTER))!;
      const puts = new Map([[CLUSTER, encode({ ...present, timeline })]]);
      return { puts: present.timeline === timeline ? new Map() : puts, result: undefined };
    },
    true,
  );
}
