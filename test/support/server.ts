/** Servers in the process of the tests. */

import { createLog } from "../../src/base/log.ts";
import type { Cluster } from "../../src/cluster/cluster.ts";
import { realClock } from "../../src/cluster/stores/monotonic.ts";
import type { LeaseStore } from "../../src/cluster/stores/store.ts";
import { inRealTime, type OtherNodes, type World } from "../../src/cluster/world.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/settings.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { Server } from "../../src/server/server.ts";
import { Service } from "../../src/service.ts";
import type { Store } from "../../src/storage/store.ts";
import { MemoryStore } from "./memory-store.ts";

/** The factor by which periodic work runs more often here. */
const HURRY = 200;

export interface LocalServer<S extends Store> {
  readonly port: number;
  readonly store: S;
  readonly engine: Engine;
  readonly server: Server;
  /** The fatal errors, after which a real process would have ended. */
  readonly fatal: unknown[];
  /** Resolves with the first fatal error. */
  readonly fatalOf: Promise<unknown>;
  readonly shutdowns: string[];
  /** The lines of its log, without the time. */
  readonly logged: string[];
}

/** A log that nobody reads. */
export const silent = createLog(
  () => "error",
  "text",
  () => {},
  () => new Date(0),
);

/** Starts a server in this process, on a free port. */
export function startLocal<S extends Store>(
  store: S,
  overrides: Partial<Config> = {},
  world: Partial<World<S>> = {},
): LocalServer<S> {
  const { service, observed } = assemble(store, overrides, world);
  service.start();
  return { ...observed, port: service.server.port };
}

/**
 * Starts a node of a cluster in this process, on a free port; `place` is its folder's fingerprint.
 */
export async function startNode<S extends Store>(
  store: S,
  leaseStore: LeaseStore,
  overrides: Partial<Config> = {},
  place = "here",
  world: Partial<World<S>> = {},
): Promise<LocalServer<S> & { readonly cluster: Cluster }> {
  const nodes: OtherNodes<S> = {
    leaseStore,
    identityOf: () => ({
      unique: () => crypto.randomUUID(),
      host: "test",
      folderFingerprint: { inode: place, born: "", machine: "" },
    }),
  };
  const { service, observed } = assemble(
    store,
    { store: "test", ...overrides },
    { nodes, ...world },
  );
  await service.start();
  return { ...observed, port: service.server.port, cluster: service.cluster! };
}

function assemble<S extends Store>(store: S, overrides: Partial<Config>, world: Partial<World<S>>) {
  const defaults = loadConfig(new Map([["addr", "127.0.0.1:0"]]), {});
  const config: Config = { ...defaults, autoSave: false, ...overrides };
  const fatal: unknown[] = [];
  const firstFatal = Promise.withResolvers<unknown>();
  const shutdowns: string[] = [];
  const logged: string[] = [];
  const write = (line: string) => void logged.push(line.slice(line.indexOf(" ") + 1));
  const service = Service.open(config, {
    ...inRealTime,
    every: (milliseconds, work) => inRealTime.every(milliseconds / HURRY, work),
    log: createLog(
      () => "info",
      "text",
      write,
      () => new Date(),
    ),
    openStore: () => store,
    onShutdown: (reason) => void shutdowns.push(reason),
    onFatal: (error) => {
      fatal.push(error);
      firstFatal.resolve(error);
    },
    ...world,
  });
  const { engine, server } = service;
  const fatalOf = firstFatal.promise;
  const observed = { store, engine, server, fatal, fatalOf, shutdowns, logged };
  return { service, observed };
}

/** A clock that shows the time of `now`; its sleepers wake in real time. */
export const clockOf = (now: () => number) => ({ ...realClock, now });

export const startInMemory = (overrides: Partial<Config> = {}) =>
  startLocal(new MemoryStore(), overrides);

/** The lines of a log that tell of more than what clients did. */
export const troubleIn = (logged: readonly string[]) =>
  logged.filter((line) => !line.startsWith("info "));
