/**
 * A roll call asks all members to check their own rows. A member whose row is not as it left it
 * knows that the store went back in time, and says so instead of answering. A node cannot know what
 * the store forgot of others. So it writes nothing else before a roll call: after its start, after
 * a lost connection, and in each new term of the store.
 *
 * Invariant: confirm() is reached only in one term of the store, without a lost connection, in
 * which each member answered a call made in that term, or did not answer for CONFIRM_MS. Nobody
 * waits longer for a missing member, unless the store has another timeline: then only all members
 * together can say that nothing is missing. Nodes whose rows the store forgot are in no list. They
 * have the same time to object, once in each term; then the cluster's row names that term.
 */

import type { FencedStore } from "../stores/fenced.ts";
import { type Clock, StoreWentBack } from "../stores/monotonic.ts";
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

/** A member that is alive answers within this time: it polls several times meanwhile. */
export const CONFIRM_MS = 3000;
/** How often the caller reads the answers. */
export const LOOK_MS = 50;
/** Nodes wait a random part of this, so that of many that notice the same thing only one calls. */
const SPREAD_MS = 200;
/** The first level whose programs answer roll calls. */
export const ANSWERS_FROM_LEVEL = 2;

export interface RollCallOptions {
  readonly store: FencedStore;
  readonly node: string;
  readonly clock: Clock;
  /** Runs work on the store once the work before it has ended. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Called with the members that did not answer: nobody confirmed their writes. */
  readonly onMissing: (nodes: readonly string[]) => void;
}

/** The store has another timeline, and a member has not confirmed its row; it still may. */
export class Unconfirmed extends LeaseStoreUnavailable {}

interface Member {
  readonly node: string;
  readonly level: number;
}

/**
 * Calls the roll, then allows writes. `isFirst`: the node has just started, so others hardly call
 * at the same time. Throws LeaseStoreUnavailable; Unconfirmed if a member does not confirm a new
 * timeline.
 */
export async function callRoll(options: RollCallOptions, isFirst: boolean): Promise<void> {
  const { store, clock, inTurn, onMissing } = options;
  const { doubts } = store;
  const requireNoDoubt = () => {
    // The watch may have found that meanwhile, which says more than that it has doubts.
    const { doubt } = store.membership;
    if (doubt !== undefined) throw new StoreWentBack(doubt);
    if (store.doubts !== doubts) throw new LeaseStoreUnavailable("a connection was lost just now");
  };
  const { rows, version: begun } = await inTurn(() => store.read([ROLL, CLUSTER]));
  const { term } = readCluster(rows.get(CLUSTER))!;
  const isKnownTerm = begun.term !== "" && term === begun.term;
  // An earlier call does not count: the store may have forgotten writes since it was answered.
  const known = readRoll(rows.get(ROLL))?.call ?? 0;
  if (!isFirst) await clock.sleep(clock.random() * SPREAD_MS);
  const call = await inTurn(() => callOrJoin(options, known));
  // The members' time begins once they can see the call.
  const untilMs = clock.now() + CONFIRM_MS;
  for (let looks = 1; ; looks++) {
    const beganMs = clock.now();
    const { missing, version } = await inTurn(() => findMissing(options, call));
    if (version.timeline !== begun.timeline || version.term !== begun.term) {
      throw new LeaseStoreUnavailable("it was started anew just now");
    }
    // At each look: to wait the members' time out for a call that cannot hold only takes longer.
    requireNoDoubt();
    const isWaitedFor = missing.some(({ level }) => level >= ANSWERS_FROM_LEVEL);
    if ((isKnownTerm && !isWaitedFor) || (looks > 2 && beganMs >= untilMs)) {
      await inTurn(() => acceptTerm(options, version, missing));
      requireNoDoubt();
      if (missing.length > 0) onMissing(missing.map(({ node }) => node));
      return store.confirm(version);
    }
    await clock.sleep(LOOK_MS);
  }
}

/** Makes the next call, or answers one that another node made after call `known`. */
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

/** Answers the last call. transact() checks first that the node's row is as it left it. */
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
 * Writes the confirmed term into the cluster's row. A new timeline needs all members: it stays in
 * doubt while one is missing.
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
