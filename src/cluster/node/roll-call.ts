/**
 * A roll call: all members are asked to look at their own rows. One whose row is not as it left it knows that the
 * store went back in time, and says so instead of answering. After a start, a lost connection, and whenever the
 * store itself was started anew, a node writes nothing else before that: it cannot know by itself what the store
 * forgot of others.
 *
 * Invariant: confirm() is reached only in one run of the store without a gap, in which each member answered a call
 * made in it, or did not answer for CONFIRM_MS. A member that did not answer is not waited for longer, unless the
 * store has another timeline: then only all of them can say that nothing is missing. Nodes that the store forgot
 * stand in no list; they have as long to say so, once in each run of the store, which the cluster's row names then.
 */

import type { FencedStore } from "../stores/fenced.ts";
import type { Clock } from "../stores/monotonic.ts";
import {
  CLUSTER,
  type ClusterRecord,
  encode,
  NODE_PREFIX,
  nodeKey,
  ROLL,
  type RollRecord,
  readCluster,
  readNode,
  readRoll,
} from "../stores/records.ts";
import { LeaseStoreUnavailable, type Row, type StoreVersion } from "../stores/store.ts";

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

/** The store has another timeline, and a member is missing: it may say yet that nothing is. */
export class Unconfirmed extends LeaseStoreUnavailable {}

interface Member {
  readonly node: string;
  readonly level: number;
}

/**
 * Calls the roll and lets the store be written. `isFirst`: the node was just started, and others hardly at the
 * same time. Throws LeaseStoreUnavailable; Unconfirmed where a member does not confirm a new timeline.
 */
export async function callRoll(options: RollCallOptions, isFirst: boolean): Promise<void> {
  const { store, clock, inTurn, onMissing } = options;
  const { doubts } = store;
  const { rows, version: begun } = await inTurn(() => store.read([ROLL, CLUSTER]));
  const { term } = readCluster(rows.get(CLUSTER))!;
  const isKnownTerm = begun.term !== "" && term === begun.term;
  // A call from before this one began may have been answered by what the store forgot since.
  const known = readRoll(rows.get(ROLL))?.call ?? 0;
  if (!isFirst) await clock.sleep(clock.random() * SPREAD_MS);
  const call = await inTurn(() => callOrJoin(options, known));
  // From here on they can answer, however long it took to get here.
  const untilMs = clock.now() + CONFIRM_MS;
  for (let looks = 1; ; looks++) {
    const beganMs = clock.now();
    const { missing, version } = await inTurn(() => findMissing(options, call));
    if (version.timeline !== begun.timeline || version.term !== begun.term) {
      throw new LeaseStoreUnavailable("it was started anew just now");
    }
    const isWaitedFor = missing.some(({ level }) => level >= ANSWERS_FROM_LEVEL);
    if ((isKnownTerm && !isWaitedFor) || (looks > 2 && beganMs >= untilMs)) {
      await inTurn(() => acceptTerm(options, version, missing));
      if (store.doubts !== doubts)
        throw new LeaseStoreUnavailable("a connection was lost just now");
      if (missing.length > 0) onMissing(missing.map(({ node }) => node));
      return store.confirm(version);
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

/** Answers the last call, after the node's own row was found as it left it. */
export async function answerCall(store: FencedStore): Promise<void> {
  const work = (rows: ReadonlyMap<string, Row>) => {
    const own = { answered: readRoll(rows.get(ROLL))?.call ?? 0 };
    return { puts: new Map<string, string>(), result: undefined, own };
  };
  await store.transact([ROLL], work, true);
}

/** The other members that have not answered. */
async function findMissing(
  { store, node }: RollCallOptions,
  call: number,
): Promise<{ readonly missing: readonly Member[]; readonly version: StoreVersion }> {
  const { rows, version } = await store.list(NODE_PREFIX);
  const missing: Member[] = [];
  for (const [key, row] of rows) {
    const { state, answered, level } = readNode(row)!;
    const name = key.slice(NODE_PREFIX.length);
    const hasAnswered = state !== "member" || answered >= call || name === node;
    if (!hasAnswered) missing.push({ node: name, level });
  }
  return { missing, version };
}

/**
 * Writes down the run of the store that was confirmed. A new timeline needs all members: with one missing it stays
 * in doubt.
 */
async function acceptTerm(
  { store }: RollCallOptions,
  { timeline, term }: StoreVersion,
  missing: readonly Member[],
): Promise<void> {
  const { rows } = await store.read([CLUSTER]);
  const cluster = readCluster(rows.get(CLUSTER))!;
  if (cluster.timeline !== timeline && missing.length > 0) {
    throw new Unconfirmed(
      `it goes by timeline ${timeline} after ${cluster.timeline}, and node ${missing[0]!.node} did not confirm ` +
        "what it wrote before: where it is gone for good, 'number-dispenser cluster forget', or 'cluster advance'",
    );
  }
  const isSame = (known: ClusterRecord) => known.timeline === timeline && known.term === term;
  if (isSame(cluster)) return;
  await store.transact(
    [],
    (found) => {
      const present = readCluster(found.get(CLUSTER))!;
      const puts = new Map([[CLUSTER, encode({ ...present, timeline, term })]]);
      return { puts: isSame(present) ? new Map() : puts, result: undefined };
    },
    true,
  );
}
