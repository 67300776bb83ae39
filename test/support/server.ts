/** Servers in the process of the tests. */

import { createLog } from "../../src/base/log.ts";
import { Cluster } from "../../src/cluster/cluster.ts";
import { parseState } from "../../src/cluster/node/state.ts";
import { realClock } from "../../src/cluster/stores/monotonic.ts";
import type { LeaseStore } from "../../src/cluster/stores/store.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/settings.ts";
import { nothingLeased } from "../../src/dispenser/allocation.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Server } from "../../src/server/server.ts";
import type { Store } from "../../src/storage/store.ts";
import { MemoryStore } from "./memory-store.ts";

export interface LocalServer<S extends Store> {
  readonly port: number;
  readonly store: S;
  readonly engine: Engine;
  readonly listener: Server;
  /** What was fatal; the process would have ended. */
  readonly fatal: unknown[];
  /** Resolves with the first of them. */
  readonly fatalOf: Promise<unknown>;
  readonly shutdowns: string[];
  /** What it logged, a line an event, without the time. */
  readonly logged: string[];
}

/** A log that nobody reads. */
export const silent = createLog(
  "error",
  "text",
  () => {},
  () => new Date(0),
);

/** A server in this process, on a free port. */
export function startLocal<S extends Store>(
  store: S,
  overrides: Partial<Config> = {},
  now = () => performance.now(),
): LocalServer<S> {
  const { server, listener } = assemble(store, overrides, now);
  listener.start();
  return { ...server, port: listener.port };
}

/** A node of a cluster in this process, on a free port; `place` says where its folder is. */
export async function startNode<S extends Store>(
  store: S,
  shared: LeaseStore,
  overrides: Partial<Config> = {},
  place = "here",
): Promise<LocalServer<S> & { readonly cluster: Cluster }> {
  const now = () => performance.now();
  const { server, listener, cluster } = assemble(store, overrides, now, { shared, place });
  await cluster!.join();
  listener.start();
  cluster!.follow();
  return { ...server, port: listener.port, cluster: cluster! };
}

function assemble<S extends Store>(
  store: S,
  overrides: Partial<Config>,
  now: () => number,
  other?: { readonly shared: LeaseStore; readonly place: string },
) {
  const defaults = loadConfig(new Map([["addr", "127.0.0.1:0"]]), {});
  const config: Config = { ...defaults, autoSave: false, ...overrides };
  const fatal: unknown[] = [];
  const firstFatal = Promise.withResolvers<unknown>();
  const shutdowns: string[] = [];
  const logged: string[] = [];
  const write = (line: string) => void logged.push(line.slice(line.indexOf(" ") + 1));
  const engine = new Engine(store, {
    limits: config,
    now,
    savesCounts: config.autoSave,
    onStaged: () => listener.scheduleTurn(),
    ...(other !== undefined && { allocation: nothingLeased }),
  });
  const log = createLog("info", "text", write, () => new Date());
  const onFatal = (error: unknown) => {
    fatal.push(error);
    firstFatal.resolve(error);
  };
  const cluster =
    other &&
    new Cluster({
      ...{ leaseStore: other.shared, engine, store, log, onFatal, clock: realClock },
      identity: {
        unique: () => crypto.randomUUID(),
        host: "test",
        folderFingerprint: { inode: other.place, born: "", machine: "" },
      },
      membership: parseState(store.node).membership,
      mayFound: config.create,
    });
  const listener = new Server({
    config,
    engine,
    log,
    now,
    cluster,
    countsEveryMs: 5,
    onShutdown: (reason) => void shutdowns.push(reason),
    onFatal,
  });
  const fatalOf = firstFatal.promise;
  const server = { store, engine, listener, fatal, fatalOf, shutdowns, logged };
  return { server, listener, cluster };
}

export const startInMemory = (overrides: Partial<Config> = {}) =>
  startLocal(new MemoryStore(), overrides);
