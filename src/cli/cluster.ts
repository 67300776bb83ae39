/**
 * `number-dispenser cluster …`: what an operator does with a cluster. join and leave work on a data folder
 * whose server is stopped, the others on the shared store alone. Each answers what was done, in words.
 */

import { hostname } from "node:os";
import { dirname } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { type Folder, joinCluster } from "../cluster/admin/join.ts";
import { returnLeases } from "../cluster/admin/leave.ts";
import { advanceHistory, forgetNode, nodesOf } from "../cluster/admin/operations.ts";
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
import { type FolderSettings, requireDatabase } from "./data-folder.ts";
import { confirmedMargin, requireConfirmed } from "./margin.ts";

export interface ClusterSettings extends FolderSettings {
  readonly store: string;
}

export type ClusterAction = "join" | "leave" | "forget" | "advance" | "nodes";

/** Does it, and answers lines that say what was done. Throws CannotStart and UsageError. */
export async function operateCluster(
  action: ClusterAction,
  operands: readonly string[],
  flags: ReadonlyMap<string, string>,
  settings: ClusterSettings,
): Promise<string> {
  if (settings.store === "") {
    throw new UsageError(`cluster ${action} needs the shared store: -store URL, or storage.store`);
  }
  const shared = openLeaseStore(settings.store);
  try {
    switch (action) {
      case "join":
        return await join(shared, settings);
      case "leave":
        return await leave(shared, settings);
      case "forget":
        return await forget(shared, operands[0]!, flags);
      case "advance":
        return await advance(shared, flags);
      case "nodes":
        return await listNodes(shared, flags.has("json"));
    }
  } catch (error) {
    if (!(error instanceof LeaseStoreUnavailable)) throw error;
    throw new CannotStart(`store ${shared.title} unavailable: ${error.message}`);
  } finally {
    await shared.close();
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

/** Opens the data folder, whose server is stopped, and closes it whatever becomes of the work. */
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

function join(shared: LeaseStore, settings: ClusterSettings): Promise<string> {
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
    const cluster = await findCluster(shared, joining, foundingBy(identity, true));
    const history = new MonotonicStore(shared, (await shared.read([])).version);
    const dispensers = await joinCluster(folder, history, cluster, identity, joining);
    return `joined cluster ${cluster.id} with ${dispensers} dispensers, each where it stood: start the server with -store`;
  });
}

function leave(shared: LeaseStore, settings: ClusterSettings): Promise<string> {
  return withFolder(settings, nothingLeased, async (folder) => {
    const { membership } = folder.state;
    if (membership === undefined) throw new CannotStart("the data folder belongs to no cluster");
    const identity = identityOf(folder.store);
    await findCluster(shared, membership, foundingBy(identity, false));
    const memory = new NodeState(folder.store, membership, identity.unique);
    const fenced = new FencedStore(shared, memory);
    const doubt = await enter(memory, fenced, identity);
    if (doubt !== undefined) throw new CannotStart(`nothing is handed back: ${doubt}`);
    const numbers = await returnLeases(folder, fenced, memory);
    return `node ${membership.node} has left cluster ${membership.cluster}, and handed back ${numbers} numbers`;
  });
}

async function forget(
  shared: LeaseStore,
  node: string,
  flags: ReadonlyMap<string, string>,
): Promise<string> {
  requireConfirmed(
    flags,
    "cluster forget",
    `what node ${node} holds is wasted, and it stops if it still runs`,
  );
  const numbers = await forgetNode(shared, node);
  return `node ${node} is written off; it held ${numbers} numbers when it last said so`;
}

async function advance(shared: LeaseStore, flags: ReadonlyMap<string, string>): Promise<string> {
  const margin = confirmedMargin(
    flags,
    "cluster advance",
    "leased in what the store forgot",
    (margin) =>
      `numbers that the store forgot are leased again where they are more than the margin, ${margin} of a line`,
  );
  const lines = await advanceHistory(shared, margin, Date.now());
  return `${lines} lines moved ahead by ${margin} numbers; the nodes go on by themselves`;
}

async function listNodes(shared: LeaseStore, isJson: boolean): Promise<string> {
  const nodes = await nodesOf(shared);
  if (isJson) {
    const all = [...nodes].map(([node, { host, state, version, generation, sequence }]) => ({
      ...{ node, state, host, version },
      starts: generation,
      writes: sequence,
    }));
    return JSON.stringify(all);
  }
  const rows = [...nodes].map(([node, { host, state, version, generation, sequence }]) =>
    [node, state, host, version, `started ${generation} times`, `${sequence} writes`].join("  "),
  );
  return rows.length === 0 ? "no nodes" : rows.join("\n");
}
