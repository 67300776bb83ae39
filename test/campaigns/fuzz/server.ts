/**
 * A server for inputs, without sockets: the real engine, store and commands, on a simulated disk and
 * a clock of its own. What would reach outside does not: SHUTDOWN is answered, BACKUP copies
 * nothing, and a wrong password is answered at once.
 */

import type { Log, LogFields } from "../../../src/base/log.ts";
import { parsePassword } from "../../../src/config/kinds.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { Counters } from "../../../src/server/counters.ts";
import type { RespFrontend } from "../../../src/server/frontends/resp.ts";
import { Service } from "../../../src/service.ts";
import { DiskUnavailable } from "../../../src/storage/store.ts";
import { noTimers, Turns } from "../../../testkit/turns.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { clockOf } from "../../support/server.ts";
import type { Rules } from "./expected.ts";
import { Broken } from "./replies.ts";

const defaults: Config = { ...loadConfig(new Map([["config", "/dev/null"]]), {}), addr: [] };

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

/** Nothing reaches outside, and nothing is waited for. */
function confine({ engine, server }: Service<MemoryStore>): void {
  // BACKUP fails as a real one may, as no input may name a file to write.
  engine.backUp = async () => {
    throw new DiskUnavailable("nothing is copied here");
  };
  // Wrong passwords are answered in the next turn.
  Object.assign(server, { sleep: async () => {} });
  // Every event is told.
  const warningOf = (_: string, event: string, fields: LogFields) =>
    server.log.warning(event, fields);
  Object.assign(server, { summaries: { ...server.log, warningOf, flush() {} } });
}

export class FuzzedServer {
  readonly rules: Rules;
  /** Addresses of clients that were closed, and the log says why. */
  readonly closedWithReason = new Set<string>();
  /** So much the clock goes on whenever it is looked at. */
  tickMs = 0;
  /** What must not have happened. */
  error: unknown;
  private readonly configured: Config;
  private nowMs = 0;
  private turns!: Turns;
  private service: Service<MemoryStore>;
  private readonly log: Log = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warning: (event: string, fields: LogFields = {}) => {
      if (event.startsWith("client closed")) this.closedWithReason.add(String(fields.client));
    },
  };

  constructor(kind: number) {
    this.configured = Object.freeze({ ...defaults, ...settings[kind % settings.length] });
    this.service = this.open(new MemoryStore());
    const isOpen = this.service.server.access.anonymous !== undefined;
    const names = isOpen ? [] : ["default", "part"];
    this.rules = {
      limits: this.configured,
      passwords: new Map(names.map((name) => [name, PASSWORD])),
      isOpen,
    };
  }

  get store(): MemoryStore {
    return this.service.store;
  }

  get engine(): Engine {
    return this.service.engine;
  }

  get config(): Config {
    return this.service.server.config;
  }

  get counters(): Counters {
    return this.service.server.counters;
  }

  get resp(): RespFrontend {
    return this.service.server.resp;
  }

  private open(store: MemoryStore): Service<MemoryStore> {
    this.turns = new Turns();
    const now = () => {
      this.nowMs += this.tickMs;
      return this.nowMs;
    };
    const service = Service.open(this.configured, {
      clock: clockOf(now),
      log: this.log,
      schedule: this.turns.schedule,
      every: noTimers,
      openStore: () => store,
      onShutdown: (reason) => this.noteShutdown(reason),
      onFatal: (error) => {
        this.error ??= error;
      },
    });
    confine(service);
    service.start();
    return service;
  }

  /** Answers whether there was something to do. */
  endTurn(): boolean {
    const { isDue } = this.turns;
    this.nowMs += 1;
    this.turns.end();
    return isDue;
  }

  /** A life ends, by a crash or a clean close, and the next begins on the same disk. */
  restart(isClean: boolean): void {
    if (isClean) this.engine.close();
    this.service = this.open(this.store.reopen());
    this.endTurn();
  }

  /** Between rounds nothing is held, and settings are as they were. */
  tidy(): void {
    const { server } = this.service;
    this.closedWithReason.clear();
    this.tickMs = 0;
    if (server.sessions.size > 0) throw new Broken(`${server.sessions.size} sessions are left`);
    const { heldBytes } = server.resp;
    if (heldBytes !== 0) throw new Broken(`${heldBytes} bytes are held for nobody`);
    if (this.counters.blocked !== 0) throw new Broken(`${this.counters.blocked} are blocked`);
    if (server.config !== this.configured) server.configure(this.configured);
  }

  private noteShutdown(reason: string): void {
    for (const session of this.service.server.sessions) {
      if (reason === `SHUTDOWN from ${session.address}`) session.replies.simple("shut down");
    }
  }
}
