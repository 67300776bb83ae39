/**
 * A server: its start and its clean stop, the settings as they are now, and what it counts. How
 * clients come and go is the matter of its frontends; what all of them stage in a turn of the event
 * loop is committed once, at the end of it.
 */

import type { Log } from "../base/log.ts";
import { TimeSlices } from "../base/time-slices.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ServerWorld } from "../cluster/world.ts";
import type { Config } from "../config/settings.ts";
import type { Catalog } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";
import { clientsByDescriptors } from "../platform/open-files.ts";
import { Access } from "./access/users.ts";
import { noCounts, type Session } from "./commands/command.ts";
import { FINISH_MS_MAX, type Frontend, type ServerForFrontends } from "./frontends/frontend.ts";
import { RespFrontend } from "./frontends/resp.ts";
import { CommitTurn } from "./session/commit-turn.ts";

/** So often it is looked for deleted lines that need not be remembered any more. */
const PURGE_EVERY_MS = 1000;
/** So often counts are saved in the background, where auto_save is on. */
const COUNTS_EVERY_MS = 1000;

export interface ServerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly catalog: Catalog;
  /** The cluster that the node leaves when the server stops; undefined for a node alone. */
  readonly cluster: Cluster | undefined;
  readonly world: ServerWorld;
}

export class Server implements ServerForFrontends {
  config: Config;
  readonly access: Access;
  readonly jobs: TimeSlices;
  readonly log: Log;
  readonly engine: Engine;
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  private readonly cluster: Cluster | undefined;
  readonly catalog: Catalog;
  readonly counters = noCounts();
  readonly sessions = new Set<Session>();
  readonly turn: CommitTurn;
  readonly resp: RespFrontend;
  isStopping = false;
  private readonly world: ServerWorld;
  private readonly descriptors = clientsByDescriptors();
  private readonly frontends: readonly Frontend[];
  private readonly endTimers: (() => void)[] = [];

  constructor({ config, engine, catalog, cluster, world }: ServerOptions) {
    const { clock, log } = world;
    this.config = config;
    this.engine = engine;
    this.cluster = cluster;
    this.catalog = catalog;
    this.world = world;
    this.log = log;
    this.now = clock.now;
    this.sleep = clock.sleep;
    this.startedAtMs = clock.now();
    this.access = new Access(config);
    this.jobs = this.slices();
    this.turn = new CommitTurn({ engine, log, counters: this.counters });
    this.resp = new RespFrontend(this);
    this.frontends = [this.resp];
  }

  /** The port for RESP; 0 where it listens on unix sockets alone. */
  get port(): number {
    return this.resp.port;
  }

  /** Where it listens, with the ports it got. */
  get addresses(): readonly string[] {
    return this.frontends.flatMap(({ addresses }) => addresses);
  }

  get clientsMax(): number {
    return Math.min(this.config.clientsMax, this.descriptors);
  }

  get storageTrouble(): string | undefined {
    return this.turn.storageTrouble;
  }

  /** Begins to accept clients. Throws CannotStart, and listens nowhere then. */
  start(): void {
    const { config } = this;
    for (const frontend of this.frontends) frontend.start();
    if (this.clientsMax < config.clientsMax) {
      this.log.warning("fewer clients than limits.clients: the process may open too few files", {
        clients: this.clientsMax,
        limit: config.clientsMax,
      });
    }
    this.every(PURGE_EVERY_MS, () => this.engine.stagePurge());
    if (config.autoSave) this.every(COUNTS_EVERY_MS, () => this.engine.stageCounts());
  }

  every(milliseconds: number, work: () => void): void {
    this.endTimers.push(this.world.every(milliseconds, () => this.guarded(work)));
  }

  slices(stepsMax?: number): TimeSlices {
    return new TimeSlices(this.now, (work) => this.later(work), stepsMax);
  }

  reloadTls(): void {
    this.resp.reloadTls();
  }

  /** The engine staged something: commits at the end of this turn. */
  scheduleTurn(): void {
    this.world.schedule(this.endTurn);
  }

  private later(work: () => void): void {
    this.world.schedule(() => this.guarded(work));
  }

  private readonly endTurn = () => this.guarded(() => this.turn.end());

  readonly guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      this.world.onFatal(error);
    }
  };

  configure(changes: Partial<Config>): string | undefined {
    const { clientsMax } = changes;
    if (clientsMax !== undefined && clientsMax > this.descriptors) {
      return `the process may open too few files for ${clientsMax} clients, but enough for ${this.descriptors}`;
    }
    this.config = Object.freeze({ ...this.config, ...changes });
    this.engine.limits = this.config;
    return undefined;
  }

  resetCounters(): void {
    const { blocked } = this.counters;
    Object.assign(this.counters, noCounts(), { blocked });
  }

  shutdown(reason: string): void {
    this.world.onShutdown(reason);
  }

  /**
   * No new clients and requests; replies under way are sent, positions saved, connections ended.
   * Answers how many numbers the clean close skipped.
   */
  async stop(): Promise<bigint> {
    this.isStopping = true;
    for (const end of this.endTimers) end();
    for (const frontend of this.frontends) frontend.refuseClients();
    // SHUTDOWN asks for this in the middle of its own request: let that end first.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.turn.end();
    if (this.cluster !== undefined) await this.leaveStore(this.cluster);
    const skipped = this.engine.close();
    await Promise.all(this.frontends.map((frontend) => frontend.stop()));
    return skipped;
  }

  /** The store hears what the node did; the close does not wait for it for long. */
  private async leaveStore(cluster: Cluster): Promise<void> {
    await Promise.race([cluster.close(), this.sleep(FINISH_MS_MAX)]);
    cluster.abandon();
    // A lease may have come in meanwhile.
    this.turn.end();
  }
}
