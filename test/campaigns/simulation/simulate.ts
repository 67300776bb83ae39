/**
 * A simulated server over many lives: the real connections, commands, engine, strategies and SQLite
 * store, driven by a seed. Clients pipeline requests; commits fail; the process dies at any
 * statement, of a commit, of the clean close, of the start; and after each life the laws of
 * checker.ts are held against what clients received.
 */

import { CannotStart } from "../../../src/base/errors.ts";
import { realClock } from "../../../src/cluster/stores/monotonic.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { RespFrontend } from "../../../src/server/frontends/resp.ts";
import { Service } from "../../../src/service.ts";
import { SqliteStore } from "../../../src/storage/sqlite.ts";
import { DiskBroken, DiskUnavailable } from "../../../src/storage/store.ts";
import { Prng } from "../../../testkit/prng.ts";
import { noTimers, Turns } from "../../../testkit/turns.ts";
import { silent } from "../../support/server.ts";
import { Died, SimulatedDisk } from "../../support/simulated-disk.ts";
import { Broken } from "./broken.ts";
import type { Checker } from "./checker.ts";
import { type Asked, SimulatedClient } from "./client.ts";
import { SimulatedClock } from "./clock.ts";
import { Faults } from "./faults.ts";
import { Model } from "./model.ts";

const CLIENTS = 3;
const STEPS = 300;
/** Steps in which something happens to the clock, and in which the program looks at it. */
const MOVES_ONCE_IN = 8;
const LOOKS_ONCE_IN = 4;
/** So that the log is moved in the middle of a life, too. */
const WAL_WRITES_MAX = 60;

/** It listens nowhere. */
const config: Config = { ...loadConfig(new Map([["config", "/dev/null"]]), {}), addr: [] };

/** Replies leave when a commit is over: the model has to know before what became of it. */
class WatchedStore extends SqliteStore {
  onCommit: (isCommitted: boolean) => void = () => {};

  override commit(): void {
    try {
      super.commit();
    } catch (error) {
      if (error instanceof DiskUnavailable) this.onCommit(false);
      throw error;
    }
    this.onCommit(true);
  }

  /** What becomes of its commit the next life tells. */
  override close(): void {
    this.onCommit = () => {};
    super.close();
  }
}

class Simulation {
  private readonly dice: Prng;
  private readonly model: Model;
  private readonly disk = new SimulatedDisk();
  private readonly faults = new Faults();
  private readonly clock = new SimulatedClock();
  private failures = 0;
  /** Of all replies in their order: the same history has the same. */
  private digest = 0;
  /** Whether the life before was closed cleanly; undefined where it died in the close. */
  private wasClosed: boolean | undefined = true;
  private clientCount = 0;
  private engine!: Engine;
  private turns!: Turns;
  private resp!: RespFrontend;
  private clients: SimulatedClient[] = [];

  constructor(seed: number) {
    this.dice = new Prng(seed);
    this.model = new Model(this.dice, this.clock);
    this.disk.interfere = this.faults.interfere;
    this.begin();
  }

  /** Answers a digest of all replies. */
  run(steps: number): number {
    for (let step = 0; step < steps; step++) this.step();
    this.faults.none();
    this.stop();
    return this.digest;
  }

  private step(): void {
    const { dice } = this;
    // Parts of milliseconds that add up without an error.
    this.clock.pass(dice.pick([0, 0.125, 1, 20, 5000]));
    if (dice.once(MOVES_ONCE_IN)) this.moveClock();
    else if (dice.once(LOOKS_ONCE_IN)) this.lookAtClock();
    const choice = dice.below(100);
    if (choice < 60) this.send(dice.pick(this.clients));
    else if (choice < 82) this.endTurn();
    else if (choice < 86) this.engine.stageCounts();
    else if (choice < 91) dice.pick(this.clients).room = dice.below(60);
    else if (choice < 95) dice.pick(this.clients).read();
    else if (choice < 96) this.replaceClient();
    else if (choice < 98) this.stop();
    else this.restart(false);
  }

  /** The program looks at its clocks before they move, and at once or later after that. */
  private moveClock(): void {
    this.lookAtClock();
    const mayWait = this.clock.move(this.dice);
    if (!mayWait || this.dice.once(2)) this.lookAtClock();
  }

  private lookAtClock(): void {
    this.engine.dated.checkClock();
    this.clock.seen();
  }

  /** One client sends some requests, in one turn with what others send. */
  private send(client: SimulatedClient): void {
    const burst = this.dice.pick([1, 1, 1, 2, 7, 60, 200]);
    const ask = (words: readonly string[], more: Partial<Asked>) => {
      const asked: Asked = {
        words,
        takes: [],
        failures: this.failures,
        answered: () => {},
        failed: () => {},
        ...more,
      };
      // A burst is the same request again and again.
      const count = words[0] === "GET" ? burst : 1;
      client.send(asked, count, this.dice.once(4) ? this.dice.next() : 0);
    };
    this.model.request(client, ask);
  }

  private newClient(): SimulatedClient {
    return new SimulatedClient(this.resp, ++this.clientCount, {
      failures: () => this.failures,
      onReply: (reply) => {
        // But for the digits of type 1, which no seed repeats.
        const text = String(reply).replace(/\b\d{18}\b/g, "#");
        this.digest = Bun.hash.crc32(text, this.digest);
      },
    });
  }

  /** A client leaves with requests under way: their numbers are handed out, to nobody. */
  private replaceClient(): void {
    const index = this.dice.below(CLIENTS);
    const leaving = this.clients[index]!;
    for (const { takes } of leaving.asked) for (const witness of takes) witness.life.lost++;
    leaving.leave();
    this.clients[index] = this.newClient();
  }

  private endTurn(): void {
    if (this.dice.once(4)) this.faults.maybe(this.dice, ["dies", "full", "refused", "sync fails"]);
    try {
      this.turns.end();
    } catch (error) {
      this.expectFault(error);
      return this.restart(false);
    }
    this.faults.over();
    if (this.dice.once(2)) return;
    for (const client of this.clients) client.read();
    this.checkQuiet();
  }

  private checkQuiet(): void {
    if (this.clients.some(({ asked }) => asked.length > 0))
      throw new Broken("a request without a reply, though no commit is under way");
    this.model.checkQuiet();
  }

  /** The clean stop, as the listener does it; it may fail, too. */
  private stop(): void {
    if (this.dice.once(3)) this.faults.maybe(this.dice, ["dies", "full", "sync fails"]);
    let isClean = false;
    try {
      this.turns.end();
      this.wasClosed = undefined;
      this.engine.close();
      isClean = true;
      this.wasClosed = true;
      for (const client of this.clients) client.read();
    } catch (error) {
      this.expectFault(error);
    }
    this.restart(isClean);
  }

  /** The store may end what is being done only where something went wrong on the disk. */
  private expectFault(error: unknown): void {
    if (!isOfStorage(error) || !this.faults.hasStruck) throw error;
  }

  /** The life is over; what had been released has reached its client. */
  private restart(isClean: boolean): void {
    for (const client of this.clients) client.read();
    if (this.faults.isCommitted) this.model.committed();
    else this.model.rolledBack();
    this.faults.over();
    const underWay = new Map<Checker, bigint>();
    for (const { asked } of this.clients) {
      for (const { takes } of asked) {
        for (const witness of takes) underWay.set(witness, (underWay.get(witness) ?? 0n) + 1n);
      }
    }
    this.begin();
    this.checkLines(isClean, underWay);
  }

  private checkLines(isClean: boolean, underWay: ReadonlyMap<Checker, bigint>): void {
    const { witnesses } = this.model;
    if (this.engine.size !== witnesses.size)
      throw new Broken(`${this.engine.size} dispensers, not ${witnesses.size}`);
    for (const witness of witnesses.values()) {
      const { counts, definition } = this.model.dispenserOf(witness);
      const ending = { isClean, underWay: underWay.get(witness) ?? 0n };
      const standing = this.model.standingOf(witness);
      witness.restarted(standing, counts.generated, definition.strategy, ending);
    }
  }

  /** Begins a life, which may end before it began. */
  private begin(): void {
    this.faults.none();
    if (this.dice.once(10)) this.faults.maybe(this.dice, ["dies", "full", "sync fails"]);
    for (;;) {
      try {
        this.open();
        break;
      } catch (error) {
        this.expectFault(error);
        // It may or may not have said yet that the database is in use.
        if (this.wasClosed) this.wasClosed = undefined;
      } finally {
        this.faults.over();
      }
    }
    this.wasClosed = false;
  }

  private open(): void {
    this.turns = new Turns();
    this.clock.beginLife();
    const service = Service.open(config, {
      clock: { ...realClock, ...this.clock.readings },
      log: silent,
      schedule: this.turns.schedule,
      every: noTimers,
      openStore: () => this.openStore(),
      onShutdown: () => {},
      onFatal: (error) => {
        throw error;
      },
    });
    this.engine = service.engine;
    this.resp = service.server.resp;
    this.model.began(service.engine);
    this.clients = Array.from({ length: CLIENTS }, () => this.newClient());
    service.start();
  }

  private openStore(): WatchedStore {
    const store = new WatchedStore(this.disk.open(), WAL_WRITES_MAX);
    if (store.crashed === this.wasClosed)
      throw new Broken(this.wasClosed ? "took a clean close for a crash" : "saw no crash");
    store.onCommit = (isCommitted) => {
      if (isCommitted) return this.model.committed();
      if (!this.faults.hasStruck) throw new Broken("a commit failed on a sound disk");
      this.failures++;
      this.model.rolledBack();
    };
    return store;
  }
}

/** Whether the store, or the death of the process in it, ended what was being done. */
function isOfStorage(error: unknown): boolean {
  return (
    error instanceof Died ||
    error instanceof DiskUnavailable ||
    error instanceof DiskBroken ||
    (error instanceof CannotStart && error.message.startsWith("cannot open")) ||
    String((error as { code?: string }).code).startsWith("SQLITE_")
  );
}

/**
 * Runs one simulation and answers a digest of its history. Throws an Error that names the seed
 * where the law is broken.
 */
export function simulate(seed: number, steps = STEPS): number {
  try {
    return new Simulation(seed).run(steps);
  } catch (error) {
    const { name, message, stack } = error as Error;
    const what = error instanceof Broken ? message : `${name}: ${message}\n${stack}`;
    throw new Error(`seed ${seed}: ${what}`, { cause: error });
  }
}
