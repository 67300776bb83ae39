/**
 * What an operator does with a cluster: takes a node's own lines into it, takes a node out of it, writes
 * off one that is lost, and takes a store that went back in time for good. No server runs on the folders
 * that this works on.
 */

import { fieldsOf } from "../dispenser/definition.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { Leased } from "../dispenser/share.ts";
import { strategies } from "../dispenser/strategy.ts";
import type { Engine } from "../engine.ts";
import { CannotStart } from "../refusal.ts";
import type { SharedStore } from "../store/shared.ts";
import type { Store } from "../store/store.ts";
import { History } from "./history.ts";
import { type Identity, newMembership } from "./membership.ts";
import type { Joining, Membership, NodeState } from "./memory.ts";
import {
  CLUSTER,
  type ClusterRecord,
  encode,
  type FigureRecord,
  figureKey,
  type LineRecord,
  lineKey,
  NAMES,
  type NameRecord,
  NODE_PREFIX,
  type NodeRecord,
  nameKey,
  nodeKey,
  readCluster,
  readFigure,
  readLine,
  readName,
  readNames,
  readNode,
  type Stretch,
} from "./records.ts";

/** A data folder whose server is stopped. */
export interface Folder {
  readonly engine: Engine;
  readonly store: Store;
  /** All that the engine knows was written anew: commits that, and lets go of the folder. */
  readonly replaced: () => void;
}

/** etcd allows 128 operations in a transaction, and a line takes three. */
const LINES_AT_ONCE = 40;
/** So many stretches of a line that were handed back are kept; the smallest are wasted. */
const RETURNED_MAX = 64;
/** A store that went back forgot at most so many new lines. */
const IDS_SKIPPED = 1_000_000;

/**
 * Takes the dispensers of a node that was alone into the cluster, each where it stands. It may be run
 * again where it did not end. Answers how many there were. Throws CannotStart where the cluster has one of
 * the names, and StoreUnavailable.
 */
export async function moveIn(
  { engine, store, replaced }: Folder,
  history: History,
  cluster: ClusterRecord,
  identity: Identity,
  begun: Joining | undefined,
): Promise<number> {
  const all = [...engine.all()];
  const joining = begun ?? (await reserveIds(engine, history, cluster, identity.unique()));
  // First here: if this does not end, the next try knows which of the cluster's lines are its own.
  store.writeNode(JSON.stringify({ joining } satisfies NodeState));
  for (let from = 0; from < all.length; from += LINES_AT_ONCE) {
    await writeLines(all.slice(from, from + LINES_AT_ONCE), history, joining);
  }
  for (const dispenser of all) restage(dispenser, store, joining.base + dispenser.id);
  const membership: Membership = { ...newMembership(cluster, identity), node: joining.node };
  store.stage({ kind: "node", state: JSON.stringify({ membership } satisfies NodeState) });
  replaced();
  return all.length;
}

/** The ids that the node's lines get in the cluster: its own ones, moved by a base. */
async function reserveIds(
  engine: Engine,
  history: History,
  cluster: ClusterRecord,
  node: string,
): Promise<Joining> {
  const base = await history.transact([NAMES], (rows) => {
    // Above all local ones as well, so that no line has the id of another for a moment.
    const base = Math.max(readNames(rows.get(NAMES))?.lastLine ?? 0, engine.lastId);
    return { puts: new Map([[NAMES, encode({ lastLine: base + engine.lastId })]]), result: base };
  });
  return { cluster: cluster.id, node, base };
}

async function writeLines(
  some: readonly Dispenser[],
  history: History,
  { base, node }: Joining,
): Promise<void> {
  const keys = some.flatMap(({ name, id }) => [nameKey(name), lineKey(base + id)]);
  await history.transact([NAMES, ...keys], (rows) => {
    const puts = new Map<string, string>();
    for (const dispenser of some) {
      const { id, name, definition, position, counts, isLine } = dispenser;
      const line = base + id;
      const present = readName(rows.get(nameKey(name)));
      if (present?.line === line) continue;
      if (present !== undefined && !present.isDeleted) {
        throw new CannotStart(
          `the cluster has a dispenser ${nameKey(name).slice("name/".length)} already: DEL one of the two first`,
        );
      }
      const fields = Object.fromEntries(fieldsOf(definition));
      const record: NameRecord = { line, isDeleted: false, fields, floor: 0n };
      const leased: LineRecord = { isDeleted: false, next: position, returned: [], floor: 0n };
      puts.set(nameKey(name), encode(record)).set(lineKey(line), encode(leased));
      if (!isLine) continue;
      const { generated } = counts;
      const figure: FigureRecord = { leased: position, burnt: 0n, generated, held: 0n };
      puts.set(figureKey(line, node), encode(figure));
    }
    if (puts.size > 0) puts.set(NAMES, encode(readNames(rows.get(NAMES))!));
    return { puts, result: undefined };
  });
}

/** Writes a dispenser under another id, as one that used up a lease of all it handed out. */
function restage(dispenser: Dispenser, store: Store, id: number): void {
  const { name, definition, position, isLine, counts } = dispenser;
  store.stage({ kind: "remove", id: dispenser.id });
  store.stage({ kind: "define", id, name, definition });
  const keeps = isLine ? strategies[definition.strategy].keeps : "position";
  if (isLine && position > 0n) {
    const share = new Leased([{ own: 0n, first: 0n, count: position }]);
    store.stage({ kind: "lease", id, share });
  }
  const { generated } = counts;
  const isGrouped = keeps === "segments" || keeps === "checkpoint";
  store.stage({
    kind: "reserve",
    reservation: {
      id,
      keeps,
      account: { reserved: position, generated, wasted: isLine ? position - generated : 0n },
      segment: isGrouped ? { first: position, last: position - 1n } : undefined,
      replaces: true,
    },
  });
}

/**
 * Hands what a node holds back and takes it out of the cluster: the folder is empty then. Answers how many
 * numbers went back. The node has entered the cluster just now.
 */
export async function handBack(
  { engine, store, replaced }: Folder,
  history: History,
  { node }: Membership,
): Promise<bigint> {
  const left = [...engine.all()].map((dispenser) => ({
    dispenser,
    stretches: heldBy(dispenser),
  }));
  // First here: a folder that still had them could hand them out as well as who gets them.
  for (const { dispenser } of left) store.stage({ kind: "remove", id: dispenser.id });
  store.stage({ kind: "node", state: JSON.stringify({} satisfies NodeState) });
  replaced();
  const held = left.filter(({ stretches }) => stretches.length > 0);
  let numbers = 0n;
  for (const { dispenser, stretches } of held) {
    numbers += await handBackLine(dispenser, stretches, history, node);
  }
  const key = nodeKey(node);
  await history.transact([key], (rows) => {
    const record: NodeRecord = { ...readNode(rows.get(key))!, state: "left" };
    return { puts: new Map([[key, encode(record)]]), result: undefined };
  });
  return numbers;
}

async function handBackLine(
  { id }: Dispenser,
  stretches: readonly Stretch[],
  history: History,
  node: string,
): Promise<bigint> {
  const [key, figure] = [lineKey(id), figureKey(id, node)];
  return history.transact([key, figure], (rows) => {
    const line = readLine(rows.get(key));
    const before = readFigure(rows.get(figure));
    if (line === undefined || line.isDeleted || before === undefined) {
      return { puts: new Map(), result: 0n };
    }
    // The node may not have heard that the line was moved on: what lies below is lost.
    const given = stretches.filter(({ first }) => first >= line.floor);
    const bySize = [...line.returned, ...given].sort((one, other) =>
      one.count < other.count ? 1 : -1,
    );
    const returned = bySize
      .slice(0, RETURNED_MAX)
      .sort((one, other) => (one.first < other.first ? -1 : 1));
    const numbers = given.reduce((sum, { count }) => sum + count, 0n);
    const after: FigureRecord = { ...before, leased: before.leased - numbers, held: 0n };
    const puts = new Map([
      [key, encode({ ...line, returned } satisfies LineRecord)],
      [figure, encode(after)],
    ]);
    return { puts, result: numbers };
  });
}

/** What a dispenser has of its line and has not handed out. */
function heldBy({ share, position, isLine }: Dispenser): Stretch[] {
  if (!isLine || !(share instanceof Leased)) return [];
  return share.runs.flatMap(({ own, first, count }) => {
    const used = position > own ? position - own : 0n;
    return used < count ? [{ first: first + used, count: count - used }] : [];
  });
}

/** Writes off what a node holds: it is wasted, and the node may not come back. Throws CannotStart. */
export async function forgetNode(store: SharedStore, node: string): Promise<bigint> {
  const { moment } = await store.read([]);
  const history = new History(store, moment);
  const key = nodeKey(node);
  await history.transact([key], (rows) => {
    const record = readNode(rows.get(key));
    if (record === undefined) throw new CannotStart(`the cluster has no node ${node}`);
    if (record.state === "left") throw new CannotStart(`node ${node} has left the cluster`);
    const puts = new Map([[key, encode({ ...record, state: "written off" } satisfies NodeRecord)]]);
    return { puts, result: undefined };
  });
  let numbers = 0n;
  const { rows } = await history.list("figure/");
  for (const figure of rows.keys()) {
    if (!figure.endsWith(`/${node}`)) continue;
    numbers += await history.transact([figure], (found) => {
      const record = readFigure(found.get(figure))!;
      const puts = new Map([[figure, encode({ ...record, held: 0n } satisfies FigureRecord)]]);
      return { puts, result: record.held };
    });
  }
  return numbers;
}

/**
 * Moves all lines ahead and takes the store, as it is, for good. Answers how many lines there are.
 * `wallClockMs` is the time of day: a later epoch is higher, even if the store forgot the one before.
 */
export async function advanceHistory(
  store: SharedStore,
  margin: bigint,
  wallClockMs: number,
): Promise<number> {
  const { moment } = await store.read([]);
  const history = new History(store, moment);
  const { rows } = await history.list("line/");
  const keys = [...rows.keys()];
  for (let from = 0; from < keys.length; from += LINES_AT_ONCE) {
    const some = keys.slice(from, from + LINES_AT_ONCE);
    await history.transact(some, (found) => {
      const puts = new Map<string, string>();
      for (const key of some) {
        const line = readLine(found.get(key))!;
        // What was handed back may have been leased in what the store forgot.
        const ahead: LineRecord = { ...line, next: line.next + margin, returned: [] };
        if (!line.isDeleted) puts.set(key, encode(ahead));
      }
      return { puts, result: undefined };
    });
  }
  await history.transact([CLUSTER, NAMES], (found) => {
    const cluster = readCluster(found.get(CLUSTER));
    if (cluster === undefined) throw new CannotStart(`the store ${store.title} has no cluster`);
    // Nodes may have lines that the store forgot: no other gets their ids.
    const lastLine = (readNames(found.get(NAMES))?.lastLine ?? 0) + IDS_SKIPPED;
    const { identity, timeline } = moment;
    const epoch = Math.max(cluster.epoch + 1, wallClockMs);
    const record: ClusterRecord = { ...cluster, epoch, identity, timeline };
    const puts = new Map([
      [CLUSTER, encode(record)],
      [NAMES, encode({ lastLine })],
    ]);
    return { puts, result: undefined };
  });
  return keys.length;
}

/** The cluster's nodes, by name. */
export async function nodesOf(store: SharedStore): Promise<ReadonlyMap<string, NodeRecord>> {
  const { rows } = await store.list(NODE_PREFIX);
  return new Map([...rows].map(([key, row]) => [key.slice(NODE_PREFIX.length), readNode(row)!]));
}
