/**
 * `number-dispenser cluster …`: the operator's work on a cluster. join and leave work on a data
 * folder whose server is stopped, and on the lease store; the others work only on the lease store.
 */

import { hostname } from "node:os";
import { dirname } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { type Folder, joinCluster } from "../cluster/admin/join.ts";
import { returnLeases } from "../cluster/admin/leave.ts";
import { type Node, nodeOf } from "../cluster/admin/nodes.ts";
import { advanceHistory, forgetNode } from "../cluster/admin/operations.ts";
import { enter, findCluster, type Identity } from "../cluster/node/membership.ts";
import { fingerprintOf, NodeState } from "../cluster/node/state.ts";
import { type OpenNode, openFolder } from "../cluster/open-node.ts";
import { FencedStore } from "../cluster/stores/fenced.ts";
import { MonotonicStore, realClock } from "../cluster/stores/monotonic.ts";
import { openLeaseStore } from "../cluster/stores/open.ts";
import { type LeaseStore, LeaseStoreUnavailable } from "../cluster/stores/store.ts";
import { UsageError } from "../config/file.ts";
import { type Allocation, nothingLeased, wholeLine } from "../dispenser/allocation.ts";
import type { SqliteStore } from "../storage/sqlite.ts";
import { durationOf, listNodes } from "./cluster-nodes.ts";
import { type FolderSettings, requireDatabase } from "./data-folder.ts";
import { confirmedMargin, requireConfirmed } from "./margin.ts";

export interface ClusterSettings extends FolderSettings {
  readonly store: string;
}

export type ClusterAction = "join" | "leave" | "forget" | "advance" | "nodes";

/** Runs the action, and answers lines that say what was done. Throws CannotStart and UsageError. */
export async function operateCluster(
  action: ClusterAction,
  operands: readonly string[],
  flags: ReadonlyMap<string, string>,
  settings: ClusterSettings,
): Promise<string> {
  if (settings.store === "") {
    throw new UsageError(`cluster ${action} needs the lease store: -store URL, or storage.store`);
  }
  const leaseStore = openLeaseStore(settings.store);
  try {
    switch (action) {
      case "join":
        return await join(leaseStore, settings);
      case "leave":
        return await leave(leaseStore, settings);
      case "forget":
        return await forget(leaseStore, operands[0]!, flags);
      case "advance":
        return await advance(leaseStore, flags);
      case "nodes":
        return await listNodes(leaseStore, flags.has("json"));
    }
  } catch (error) {
    if (!(error instanceof LeaseStoreUnavailable)) throw error;
    throw new CannotStart(`store ${leaseStore.title} unavailable: ${error.message}`);
  } finally {
    await leaseStore.close();
  }
}

function identityOf(store: SqliteStore): Identity {
  return {
    unique: () => crypto.randomUUID(),
    host: `${hostname()}:${dirname(store.path)}`,
    folderFingerprint: fingerprintOf(store.path),
  };
}

const foundingBy = ({ unique }: Identity, isAllowed: boolean) => ({
  unique,
  isAllowed,
  clock: realClock,
});

/**
 * Runs work on the data folder of a stopped server, and closes the folder even if the work fails.
 */
async function withFolder<T>(
  settings: ClusterSettings,
  allocation: Allocation,
  work: (folder: Folder & OpenNode<SqliteStore>) => Promise<T>,
): Promise<T> {
  const { dataDir } = settings;
  requireDatabase(dataDir);
  const options = { ...settings, create: false };
  const node = openFolder(dataDir, options, () => allocation);
  let isOpen = true;
  const replaced = () => {
    isOpen = false;
    node.store.close();
  };
  try {
    return await work({ ...node, replaced });
  } finally {
    if (isOpen) node.engine.close();
  }
}

function join(leaseStore: LeaseStore, settings: ClusterSettings): Promise<string> {
  return withFolder(settings, wholeLine, async (folder) => {
    const { membership, stripe, joining } = folder.state;
    if (membership !== undefined) {
      throw new CannotStart(`the data folder belongs to cluster ${membership.cluster} already`);
    }
    if (stripe !== undefined) {
      throw new CannotStart(
        `the data folder is that of node ${stripe}, which has a part of each line: it cannot join`,
      );
    }
    const identity = identityOf(folder.store);
    const cluster = await findCluster(leaseStore, joining, foundingBy(identity, true));
    const monotonic = new MonotonicStore(leaseStore, (await leaseStore.read([])).version);
    const dispensers = await joinCluster(folder, monotonic, cluster, identity, joining);
    return `joined cluster ${cluster.id} with ${dispensers} dispensers, each where it stood: start the server with -store`;
  });
}

function leave(leaseStore: LeaseStore, settings: ClusterSettings): Promise<string> {
  return withFolder(settings, nothingLeased, async (folder) => {
    const { membership } = folder.state;
    if (membership === undefined) throw new CannotStart("the data folder belongs to no cluster");
    const identity = identityOf(folder.store);
    await findCluster(leaseStore, membership, foundingBy(identity, false));
    const nodeState = new NodeState(folder.store, membership, identity.unique);
    const fenced = new FencedStore(leaseStore, nodeState);
    const doubt = await enter(nodeState, fenced, identity);
    if (doubt !== undefined) throw new CannotStart(`nothing is handed back: ${doubt}`);
    const numbers = await returnLeases(folder, fenced, nodeState);
    return `node ${membership.node} has left cluster ${membership.cluster}, and handed back ${numbers} numbers`;
  });
}

async function forget(
  leaseStore: LeaseStore,
  node: string,
  flags: ReadonlyMap<string, string>,
): Promise<string> {
  requireConfirmed(
    flags,
    "cluster forget",
    `what node ${node} holds is wasted, and it stops if it still runs`,
  );
  const found = await nodeOf(leaseStore, realClock, node);
  const sign = found && signOfLife(found);
  if (sign !== undefined && !flags.has("alive")) {
    throw new CannotStart(
      `node ${node} seems to be alive: ${sign}. ${whatToDo(found!)}, or say -alive as well: if it runs, it stops as soon as it ` +
        "reaches the store, its clients lose their connections, what it holds is wasted, and its folder, started again, " +
        "is another node. Until then it hands out what it holds, which nobody else does",
    );
  }
  const numbers = await forgetNode(leaseStore, node);
  return `node ${node} is written off; it held ${numbers} numbers when it last said so`;
}

async function advance(
  leaseStore: LeaseStore,
  flags: ReadonlyMap<string, string>,
): Promise<string> {
  const margin = confirmedMargin(
    flags,
    "cluster advance",
    "leased in what the store forgot",
    (margin) =>
      `where the store forgot leases of more than ${margin} numbers of a line, numbers are leased again`,
  );
  const lines = await advanceHistory(leaseStore, margin, Date.now());
  return `${lines} lines moved ahead by ${margin} numbers; the nodes go on by themselves`;
}

/** A node that wrote within this time may be busy, or about to start again. */
const RECENT_MS = 60_000;

/** What to do about a member for whose being alive something speaks. */
const whatToDo = ({ life }: Node) =>
  life.is === "silent" ? "If it is stopped, wait a minute and run this again" : "Stop it first";

/** What speaks for a member being alive; undefined for nothing. */
function signOfLife({ record, life, wroteBeforeMs }: Node): string | undefined {
  if (record.state !== "member") return undefined;
  if (life.is === "alive") return `it answered ${Math.round(life.afterMs)} ms after it was asked`;
  if (wroteBeforeMs !== undefined && wroteBeforeMs < RECENT_MS) {
    return `it wrote to the store ${durationOf(wroteBeforeMs)} ago, by the clock of its machine`;
  }
  return life.is === "unknown" ? `it cannot be asked, as ${life.reason}` : undefined;
}
