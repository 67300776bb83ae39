/**
 * A server for inputs, without sockets: the real engine, store and commands, on a simulated disk and
 * a clock of its own. What would reach outside does not: SHUTDOWN is answered, BACKUP copies
 * nothing, and a wrong password is answered at once.
 */

import type { LogFields } from "../../../src/base/log.ts";
import { TimeSlices } from "../../../src/base/time-slices.ts";
import { parsePassword } from "../../../src/config/kinds.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { Access, type LogIn } from "../../../src/server/access/users.ts";
import { noCounts, type ServerForCommands } from "../../../src/server/commands/command.ts";
import { CommitTurn } from "../../../src/server/session/commit-turn.ts";
import type { Connection, Host } from "../../../src/server/session/connection.ts";
import type { ClientSession } from "../../../src/server/session/session.ts";
import { DiskUnavailable } from "../../../src/storage/store.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import type { Rules } from "./expected.ts";
import { Broken } from "./replies.ts";

const defaults = loadConfig(new Map([["config", "/dev/null"]]), {});

/** Limits that a short input can reach. */
const small: Partial<Config> = {
  requestBytesMax: 1500,
  requestArgumentsMax: 20,
  transactionBytesMax: 4096,
  replyBytesMax: 1024,
  replyBytesHardMax: 65_536,
  dispensersMax: 60,
  nameBytesMax: 100,
};

export const PASSWORD = "sesame";

/** The settings there are inputs for. */
const settings: readonly Partial<Config>[] = [
  {},
  small,
  {
    requirepass: parsePassword(PASSWORD)!,
    users: [
      {
        name: "part",
        passwordHash: parsePassword(PASSWORD)!,
        rights: ["take", "inspect"],
        names: ["memory*", "pre*", "a"],
      },
    ],
  },
];

/** Wrong passwords are answered in the next turn, and never too many. */
class QuickAccess extends Access {
  override logIn(name: string, password: string, host: string): LogIn {
    const result = super.logIn(name, password, host);
    if (!("wrong" in result)) return result;
    result.answered();
    return { wrong: true, answerAfterMs: 0, answered: () => {} };
  }
}

/** BACKUP fails as a real one may, as no input may name a file to write. */
class QuietEngine extends Engine {
  override async backUp(): Promise<void> {
    throw new DiskUnavailable("nothing is copied here");
  }
}

export class FuzzedServer implements ServerForCommands, Host {
  readonly rules: Rules;
  readonly server = this;
  readonly access: Access;
  readonly jobs: TimeSlices;
  readonly port = 0;
  readonly startedAtMs = 0;
  readonly clientsMax = 100;
  readonly isStopping = false;
  readonly sessions = new Set<ClientSession>();
  readonly counters = noCounts();
  readonly log = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warning: (event: string, fields: LogFields = {}) => {
      if (event.startsWith("client closed")) this.closedForUnread.add(String(fields.client));
    },
  };
  /** Addresses of clients that were closed because they did not read. */
  readonly closedForUnread = new Set<string>();
  store = new MemoryStore();
  engine: Engine;
  config: Config;
  /** So much the clock goes on whenever it is looked at. */
  tickMs = 0;
  /** Connections that go on in the next turn. */
  deferred: Connection[] = [];
  /** What must not have happened. */
  error: unknown;
  private readonly configured: Config;
  private nowMs = 0;
  private buffered = 0;
  private turn: CommitTurn;

  constructor(kind: number) {
    this.configured = Object.freeze({ ...defaults, ...settings[kind % settings.length] });
    this.config = this.configured;
    this.access = new QuickAccess(this.config);
    this.jobs = new TimeSlices(this.now, (work) => work());
    const isOpen = this.access.anonymous !== undefined;
    const names = isOpen ? [] : ["default", "part"];
    this.rules = {
      limits: this.config,
      passwords: new Map(names.map((name) => [name, PASSWORD])),
      isOpen,
    };
    this.engine = this.newEngine();
    this.turn = new CommitTurn({ engine: this.engine, log: this.log, counters: this.counters });
  }

  readonly now = (): number => {
    this.nowMs += this.tickMs;
    return this.nowMs;
  };

  get catalog(): LocalCatalog {
    return new LocalCatalog(this.engine);
  }

  get storageTrouble(): string | undefined {
    return this.turn.storageTrouble;
  }

  endTurn(): void {
    this.nowMs += 1;
    this.turn.end();
  }

  /** A life ends, by a crash or a clean close, and the next begins on the same disk. */
  restart(isClean: boolean): void {
    if (isClean) this.engine.close();
    this.store = this.store.reopen();
    this.engine = this.newEngine();
    this.engine.skippedByCrash();
    this.turn = new CommitTurn({ engine: this.engine, log: this.log, counters: this.counters });
    this.endTurn();
  }

  /** Between rounds nothing is held, and settings are as they were. */
  tidy(): void {
    this.deferred = [];
    this.closedForUnread.clear();
    this.tickMs = 0;
    if (this.sessions.size > 0) throw new Broken(`${this.sessions.size} sessions are left`);
    if (this.buffered !== 0) throw new Broken(`${this.buffered} bytes are held for nobody`);
    if (this.counters.blocked !== 0) throw new Broken(`${this.counters.blocked} are blocked`);
    if (this.config !== this.configured) this.configure(this.configured);
  }

  configure(changes: Partial<Config>): string | undefined {
    this.config = Object.freeze({ ...this.config, ...changes });
    this.engine.limits = this.config;
    if (changes === this.configured) this.config = this.configured;
    return undefined;
  }

  resetCounters(): void {
    const { blocked } = this.counters;
    Object.assign(this.counters, noCounts(), { blocked });
  }

  shutdown(reason: string): void {
    for (const session of this.sessions) {
      if (reason === `SHUTDOWN from ${session.address}`) session.replies.simple("shut down");
    }
  }

  onHeld(connection: Connection): void {
    this.turn.hold(connection);
  }

  onDeferred(connection: Connection): void {
    this.deferred.push(connection);
  }

  onBuffered(bytes: number): void {
    this.buffered += bytes;
    if (this.buffered < 0) throw new Broken(`${this.buffered} bytes are held`);
  }

  guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.error ??= error;
    }
  }

  private newEngine(): Engine {
    const { store, config, now } = this;
    return new QuietEngine(store, { limits: config, now, savesCounts: true });
  }
}
