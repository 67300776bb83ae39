/** A node of the simulated cluster: the real connections, engine, store and cluster, over many lives. */

import type { Log } from "../../../src/base/log.ts";
import { returnLeases } from "../../../src/cluster/admin/leave.ts";
import type { Cluster } from "../../../src/cluster/cluster.ts";
import { enter, type Identity } from "../../../src/cluster/node/membership.ts";
import { type FolderFingerprint, NodeState } from "../../../src/cluster/node/state.ts";
import { openEngine } from "../../../src/cluster/open-node.ts";
import { FencedStore } from "../../../src/cluster/stores/fenced.ts";
import type { Clock } from "../../../src/cluster/stores/monotonic.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import { nothingLeased } from "../../../src/dispenser/allocation.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { RespFrontend } from "../../../src/server/frontends/resp.ts";
import type { Connection } from "../../../src/server/session/connection.ts";
import { Service } from "../../../src/service.ts";
import { SqliteStore } from "../../../src/storage/sqlite.ts";
import type { Prng } from "../../../testkit/prng.ts";
import { encodeRequest, type Reply, readReply } from "../../../testkit/resp.ts";
import { noTimers, Turns } from "../../../testkit/turns.ts";
import { Died, SimulatedDisk } from "../../support/simulated-disk.ts";
import { Faults } from "../simulation/faults.ts";
import { Link, type ModelStore } from "./model-store.ts";

/** It shares a store with others, and listens nowhere. */
const config: Config = {
  ...loadConfig(new Map([["config", "/dev/null"]]), {}),
  addr: [],
  store: "model",
};

export interface World {
  readonly dice: Prng;
  readonly model: ModelStore;
  /**
   * The clock of a life: sleepers of a dead one never wake. `skewMs` answers how far its wall clock is
   * ahead of the right time.
   */
  clockFor(link: Link, skewMs?: () => number): Clock;
  unique(): string;
  readonly log: Log;
}

/** A request and what is done with its reply. */
export interface Asked {
  readonly words: readonly string[];
  readonly answered: (reply: Reply) => void;
}

export class SimNode {
  name: string;
  disk = new SimulatedDisk();
  /** Its disk was set back, and the store has not seen it since. */
  isSetBack = false;
  /** Which life it is in, and the last that entered the cluster. */
  life = 0;
  lifeEntered = 0;
  folderFingerprint: FolderFingerprint;
  /** Whether clients are let in. */
  isServing = false;
  /** Stopped by SIGSTOP. */
  isPaused = false;
  /** How far its wall clock is ahead of the right time. */
  skewMs = 0;
  readonly faults = new Faults();
  link!: Link;
  engine!: Engine;
  cluster!: Cluster;
  /** What ended the life, if something did. */
  ended: unknown;
  /** Whether that was a fault of the disk that was asked for. */
  endedByDisk = false;
  private readonly world: World;
  private turns!: Turns;
  private connections: Client[] = [];

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.folderFingerprint = this.newPlace();
  }

  /** A place where no folder was before. */
  newPlace(): FolderFingerprint {
    return { inode: this.world.unique(), born: "", machine: "m" };
  }

  /** Begins a life; it serves once it has joined. */
  start(): void {
    const { world, faults } = this;
    faults.none();
    this.disk.interfere = faults.interfere;
    this.life++;
    const link = new Link(world.model);
    const clock = world.clockFor(link, () => this.skewMs);
    this.link = link;
    this.ended = undefined;
    this.turns = new Turns();
    const fatal = (error: unknown) => {
      if (this.link === link) this.end(error);
    };
    const service = Service.open(config, {
      clock,
      log: world.log,
      schedule: this.turns.schedule,
      every: noTimers,
      openStore: () => new SqliteStore(this.disk.open()),
      nodes: { leaseStore: link, identityOf: () => this.identity },
      onShutdown: () => {},
      onFatal: fatal,
    });
    this.engine = service.engine;
    this.cluster = service.cluster!;
    const { resp } = service.server;
    this.connections = [new Client(resp, 1), new Client(resp, 2)];
    service.start()!.then(() => {
      if (link.isDead) return;
      this.isServing = true;
      this.isSetBack = false;
      this.lifeEntered = this.life;
    }, fatal);
  }

  private get identity(): Identity {
    const { world, name: host, folderFingerprint } = this;
    return { unique: () => world.unique(), host, folderFingerprint };
  }

  ask(asked: Asked, count: number): void {
    this.world.dice.pick(this.connections).ask(asked, count);
  }

  /** What was staged is committed; something may go wrong on the disk. */
  endTurn(mayFail: boolean): void {
    const { dice } = this.world;
    if (mayFail && dice.once(40)) this.faults.maybe(dice, ["dies", "full", "sync fails"]);
    this.turns.end();
    if (this.ended === undefined) this.faults.over();
  }

  private end(error: unknown): void {
    if (this.ended !== undefined) return;
    this.ended = error;
    this.endedByDisk = error instanceof Died || this.faults.hasStruck;
  }

  /** The process is gone at once. */
  die(): void {
    this.link.isDead = true;
    this.isServing = false;
    for (const connection of this.connections) connection.leave();
  }

  /** The clean stop, as the listener does it; the store hears what it has to, or not. */
  async stop(settle: () => Promise<void>, isHeard: boolean): Promise<void> {
    this.isServing = false;
    this.faults.none();
    this.turns.end();
    let isClosed = false;
    void this.cluster.close().then(() => {
      isClosed = true;
    });
    for (let tries = 0; isHeard && !isClosed && tries < 1000; tries++) {
      this.world.model.serve(this.link);
      await settle();
    }
    this.turns.end();
    this.engine.close();
    this.die();
  }

  /** It was stopped: hands back what it holds, and is another node with an empty disk then. */
  async leave(serve: (link: Link) => Promise<void>): Promise<void> {
    const link = new Link(this.world.model);
    const { clockFor } = this.world;
    const { now } = clockFor(link);
    const opened = openEngine(
      new SqliteStore(this.disk.open()),
      { now, savesCounts: false },
      () => nothingLeased,
    );
    const { store, engine, state } = opened;
    const { identity } = this;
    const memory = new NodeState(store, state.membership!, identity.unique);
    const fenced = new FencedStore(link, memory, clockFor(link));
    const left = (async () => {
      const doubt = await enter(memory, fenced, identity);
      const folder = { engine, store, replaced: () => store.close() };
      if (doubt === undefined) await returnLeases(folder, fenced, memory);
    })();
    let isOver = false;
    // A store that went back has to be taken for good first: then it keeps what it has.
    const end = () => {
      isOver = true;
    };
    left.then(end, end);
    while (!isOver) await serve(link);
    link.isDead = true;
    this.disk = new SimulatedDisk();
    this.folderFingerprint = this.newPlace();
    this.name += "'";
  }

  /** The machine is lost with its disk, and another takes its place. */
  lose(): void {
    this.die();
    this.isPaused = false;
    this.disk = new SimulatedDisk();
    this.folderFingerprint = this.newPlace();
    this.name += "'";
  }

  /** The state of its disk, as a copy taken now has it. */
  copyDisk(): SimulatedDisk {
    return this.disk.copy();
  }
}

/** A client on a wire that takes everything. */
class Client {
  private readonly resp: RespFrontend;
  private readonly connection: Connection;
  private readonly asked: Asked[] = [];
  private received = "";

  constructor(resp: RespFrontend, id: number) {
    const nothing = () => {};
    const wire = {
      write: (bytes: Uint8Array, from: number, count: number) => this.accept(bytes, from, count),
      end: nothing,
      shutdown: nothing,
      terminate: nothing,
      pause: nothing,
      resume: nothing,
    };
    const address = `client:${id}`;
    const ends = { address, localAddress: "node", host: "client", isLocal: true };
    this.resp = resp;
    this.connection = resp.connect(wire, ends);
  }

  ask(asked: Asked, count: number): void {
    for (let index = 0; index < count; index++) this.asked.push(asked);
    this.connection.receive(Buffer.from(encodeRequest(...asked.words).repeat(count)));
  }

  leave(): void {
    this.asked.length = 0;
    this.resp.disconnect(this.connection);
  }

  private accept(bytes: Uint8Array, from: number, count: number): number {
    this.received += Buffer.from(bytes.subarray(from, from + count)).toString("latin1");
    let end = 0;
    for (let read = readReply(this.received); read; read = readReply(this.received, end)) {
      end = read.end;
      this.asked.shift()!.answered(read.reply);
    }
    this.received = this.received.slice(end);
    return count;
  }
}
