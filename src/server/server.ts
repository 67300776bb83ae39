/**
 * A server: its start and its clean stop, its current settings and its counters. Its frontends
 * handle the clients. Everything that they stage in one turn of the event loop is committed once,
 * at the end of that turn.
 */

import type { Log } from "../base/log.ts";
import { LogSummaries, SUMMARY_EVERY_MS } from "../base/log-summaries.ts";
import { TimeSlices } from "../base/time-slices.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ServerWorld } from "../cluster/world.ts";
import type { Config } from "../config/settings.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { toText } from "../dispenser/name.ts";
import type { Catalog } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";
import { clientsByDescriptors } from "../platform/open-files.ts";
import type { DiskUnavailable } from "../storage/store.ts";
import { Access } from "./access/users.ts";
import { Audit } from "./audit.ts";
import type { Session } from "./commands/command.ts";
import { CommandStats, noCounts } from "./counters.ts";
import { FINISH_MS_MAX, type Frontend, type ServerForFrontends } from "./frontends/frontend.ts";
import { RespFrontend } from "./frontends/resp.ts";
import { accessOf, changeUsers, differences, logReload } from "./reload.ts";
import { CommitTurn } from "./session/commit-turn.ts";

/** The interval at which deleted lines that need not be kept any more are removed. */
const PURGE_EVERY_MS = 1000;
/** The interval at which counts are saved in the background if auto_save is on. */
const COUNTS_EVERY_MS = 1000;
/** How often the engine looks whether the wall clock was set. */
const CLOCK_EVERY_MS = 1000;

export interface ServerOptions {
  readonly config: Config;
  readonly engine: Engine;
  readonly catalog: Catalog;
  /** The cluster, which is told when the server stops; undefined for a node alone. */
  readonly cluster: Cluster | undefined;
  readonly world: ServerWorld;
}

export class Server implements ServerForFrontends {
  config: Config;
  access: Access;
  /** The settings as they were last read; CONFIG SET changes `config` alone. */
  private loaded: Config;
  readonly jobs: TimeSlices;
  readonly log: Log;
  readonly summaries: LogSummaries;
  readonly engine: Engine;
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  private readonly cluster: Cluster | undefined;
  readonly catalog: Catalog;
  readonly counters = noCounts();
  readonly commandStats = new CommandStats();
  readonly sessions = new Set<Session>();
  readonly turn: CommitTurn;
  readonly audit: Audit;
  readonly resp: RespFrontend;
  isStarting = true;
  isStopping = false;
  private readonly world: ServerWorld;
  private readonly descriptors = clientsByDescriptors();
  private readonly frontends: readonly Frontend[];
  private readonly endTimers: (() => void)[] = [];

  constructor({ config, engine, catalog, cluster, world }: ServerOptions) {
    const { clock, log } = world;
    this.config = config;
    this.loaded = config;
    this.engine = engine;
    this.cluster = cluster;
    this.catalog = catalog;
    this.world = world;
    this.log = log;
    this.summaries = new LogSummaries(log, clock.now);
    this.now = clock.now;
    this.sleep = clock.sleep;
    this.startedAtMs = clock.now();
    this.access = new Access(config);
    this.jobs = this.slices();
    engine.onUsed = (dispenser, percent, left) => this.noteUsed(dispenser, percent, left);
    this.turn = new CommitTurn({ engine, log, counters: this.counters });
    this.audit = new Audit(log, this.turn, world.audit ?? (() => {}));
    this.resp = new RespFrontend(this);
    this.frontends = [this.resp];
  }

  private noteUsed({ name }: Dispenser, percent: number, remaining: bigint): void {
    const event = percent === 100 ? "line exhausted" : `line used up to ${percent} %`;
    this.summaries.warningOf(name, event, { dispenser: toText(name), remaining });
  }

  /** The port for RESP; 0 if the server listens only on unix sockets. */
  get port(): number {
    return this.resp.port;
  }

  /** The addresses the server listens on, with the actual ports. */
  get addresses(): readonly string[] {
    return this.frontends.flatMap(({ addresses }) => addresses);
  }

  get clientsMax(): number {
    return Math.min(this.config.clientsMax, this.descriptors);
  }

  get isFull(): boolean {
    return this.resp.isFull;
  }

  get storageTrouble(): string | undefined {
    return this.turn.storageTrouble;
  }

  /** Begins to accept clients. If it throws CannotStart, the server listens nowhere. */
  start(): void {
    const { config } = this;
    for (const frontend of this.frontends) frontend.start();
    if (this.clientsMax < config.clientsMax) {
      this.log.warning("fewer clients than limits.clients: the process may open too few files", {
        clients: this.clientsMax,
        limit: config.clientsMax,
      });
    }
    this.every(SUMMARY_EVERY_MS, () => this.summaries.flush());
    this.every(PURGE_EVERY_MS, () => this.engine.stagePurge());
    this.every(CLOCK_EVERY_MS, () => this.checkClock());
    if (config.autoSave) this.every(COUNTS_EVERY_MS, () => this.engine.stageCounts());
    this.isStarting = false;
  }

  /** Tells of a wall clock that has jumped ahead, and that it is trusted again. */
  private checkClock(): void {
    const heldMs = this.engine.dated.checkClock();
    if (heldMs === undefined) return;
    if (heldMs === 0) return this.log.info("the clock is trusted: lines with periods follow it");
    this.log.warning(
      "the clock jumped ahead: lines with periods stay in theirs until it has been so for ten minutes",
      { ahead_seconds: Math.round(heldMs / 1000) },
    );
  }

  every(milliseconds: number, work: () => void): void {
    this.endTimers.push(this.world.every(milliseconds, () => this.guarded(work)));
  }

  slices(stepsMax?: number): TimeSlices {
    return new TimeSlices(this.now, (work) => this.later(work), stepsMax);
  }

  /** Takes over settings that were read again, and their users. */
  reload(loaded: Config): void {
    const found = differences(this.loaded, loaded);
    const refusal = this.configure(found.live);
    if (refusal !== undefined) return this.log.error("settings not changed", { reason: refusal });
    this.loaded = loaded;
    if (found.hasOtherUsers) {
      const { access } = this;
      this.access = accessOf(loaded, access);
      changeUsers([...this.sessions], access, this.access);
    }
    logReload(this.log, found);
  }

  reloadTls(): void {
    this.resp.reloadTls();
  }

  /** To be called when the engine staged something: makes the turn end with a commit. */
  scheduleTurn(): void {
    this.world.schedule(this.endTurn);
  }

  later(work: () => void): void {
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

  committed(): Promise<DiskUnavailable | undefined> {
    return new Promise((resolve) => {
      if (this.engine.isStaged)
        this.turn.hold({ commitEnded: (_, failure) => resolve(failure), drain() {} });
      else
        this.jobs.add(() => {
          resolve(undefined);
          return true;
        });
    });
  }

  resetCounters(): void {
    const { blocked } = this.counters;
    Object.assign(this.counters, noCounts(), { blocked });
    this.commandStats.reset();
  }

  shutdown(reason: string): void {
    this.world.onShutdown(reason);
  }

  /**
   * Stops cleanly: accepts no more clients and requests, saves positions, sends the replies under
   * way and ends the connections. Answers how many numbers the clean close skipped.
   */
  async stop(): Promise<bigint> {
    this.isStopping = true;
    for (const end of this.endTimers) end();
    for (const frontend of this.frontends) frontend.refuseClients();
    // SHUTDOWN calls this in the middle of its own request, which has to end first.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.turn.end();
    if (this.cluster !== undefined) await this.leaveStore(this.cluster);
    const skipped = this.engine.close();
    await Promise.all(this.frontends.map((frontend) => frontend.stop()));
    this.summaries.flush();
    return skipped;
  }

  /** Tells the lease store what the node did, and waits for it for FINISH_MS_MAX at most. */
  private async leaveStore(cluster: Cluster): Promise<void> {
    await Promise.race([cluster.close(), this.sleep(FINISH_MS_MAX)]);
    cluster.abandon();
    // A lease may have arrived in the meantime, and has to be committed.
    this.turn.end();
  }
}
