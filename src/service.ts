/**
 * A service: the one place that puts together a node's data, its cluster and its server. Everything
 * from outside comes in a World.
 */

import type { Log } from "./base/log.ts";
import { Cluster } from "./cluster/cluster.ts";
import { type OpenNode, openNode } from "./cluster/open-node.ts";
import type { World } from "./cluster/world.ts";
import type { Config } from "./config/settings.ts";
import { toText } from "./dispenser/name.ts";
import type { Engine } from "./engine/engine.ts";
import { LocalCatalog } from "./engine/local-catalog.ts";
import { Server } from "./server/server.ts";
import type { Store } from "./storage/store.ts";

/** How many dispensers that skipped numbers in a crash the log names at most. */
const SKIPPED_SHOWN_MAX = 100;

export class Service<S extends Store> {
  readonly store: S;
  readonly engine: Engine;
  /** The cluster; undefined for a node alone. */
  readonly cluster: Cluster | undefined;
  readonly server: Server;
  private readonly log: Log;

  private constructor(config: Config, world: World<S>, { store, engine, state }: OpenNode<S>) {
    const { clock, log, nodes, onFatal } = world;
    this.store = store;
    this.engine = engine;
    this.log = log;
    this.cluster =
      nodes &&
      new Cluster({
        ...{ engine, store, log, clock, onFatal },
        leaseStore: nodes.leaseStore,
        identity: nodes.identityOf(store),
        membership: state.membership,
        mayFound: config.create,
      });
    const { cluster } = this;
    const catalog = cluster?.catalog ?? new LocalCatalog(engine);
    this.server = new Server({ config, engine, catalog, cluster, world });
  }

  /** Opens the data and makes all parts, but serves nothing yet. Throws CannotStart. */
  static open<S extends Store>(config: Config, world: World<S>): Service<S> {
    const node = openNode(config, {
      openStore: world.openStore,
      ...world.clock,
      onStaged: () => service.server.scheduleTurn(),
    });
    const service = new Service(config, world, node);
    return service;
  }

  /**
   * Begins to serve: at once for a node alone; a node of a cluster first waits until it is in it,
   * or stop() is called. If it throws CannotStart, or rejects with it, the data are closed.
   */
  start(): Promise<void> | undefined {
    if (this.store.crashed) this.logCrash();
    if (this.cluster === undefined) return this.listen();
    return this.cluster.join().then(
      () => (this.server.isStopping ? undefined : this.listen()),
      (error: unknown) => this.giveUp(error),
    );
  }

  private listen(): undefined {
    try {
      this.server.start();
      this.cluster?.follow(this.server.addresses);
    } catch (error) {
      this.giveUp(error);
    }
  }

  private giveUp(error: unknown): never {
    // The numbers that the crash skipped have to be on disk as wasted before the clean close.
    this.engine.commit();
    this.engine.close();
    throw error;
  }

  /** Stops cleanly. Answers how many numbers the clean close skipped. */
  stop(): Promise<bigint> {
    return this.server.stop();
  }

  private logCrash(): void {
    const skipped = this.engine.skippedByCrash();
    for (const { name, numbers } of skipped.slice(0, SKIPPED_SHOWN_MAX)) {
      this.log.warning("numbers skipped", { dispenser: toText(name), numbers });
    }
    const numbers = skipped.reduce((sum, each) => sum + each.numbers, 0n);
    this.log.warning("recovered from a crash", {
      dispensers_that_skipped: skipped.length,
      numbers,
    });
  }
}
