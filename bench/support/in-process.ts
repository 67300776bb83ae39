/**
 * A service in this process with one connection and no socket: it takes bytes of requests and
 * answers bytes of replies, and each chunk is one turn.
 */

import { inRealTime } from "../../src/cluster/world.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { Connection } from "../../src/server/session/connection.ts";
import { Service } from "../../src/service.ts";
import { openSqliteStore } from "../../src/storage/sqlite.ts";
import { silent } from "../../test/support/server.ts";
import { encodeRequest } from "../../testkit/resp.ts";
import { noTimers, Turns } from "../../testkit/turns.ts";

/** A transport that accepts and counts all bytes. */
class Sink {
  bytes = 0;

  write(_bytes: Uint8Array, _from: number, count: number): number {
    this.bytes += count;
    return count;
  }

  end(): void {}
  shutdown(): void {}
  terminate(): void {}
  pause(): void {}
  resume(): void {}
}

export class InProcess {
  readonly engine: Engine;
  private readonly wire = new Sink();
  private readonly turns = new Turns();
  private readonly connection: Connection;

  constructor(dataDir: string) {
    const config = loadConfig(new Map([["addr", "127.0.0.1:0"]]), {});
    const { engine, server } = Service.open(config, {
      ...inRealTime,
      log: silent,
      schedule: this.turns.schedule,
      every: noTimers,
      openStore: () => openSqliteStore(dataDir, config),
      onShutdown: () => {},
      onFatal: (error) => {
        throw error;
      },
    });
    this.engine = engine;
    const ends = { address: "bench", localAddress: "bench", host: "bench", isLocal: true };
    this.connection = server.resp.connect(this.wire, ends);
  }

  /** How many bytes of replies were sent. */
  get replied(): number {
    return this.wire.bytes;
  }

  /** Runs the requests of a chunk to the end of their turn, or of all turns that they take. */
  receive(chunk: Buffer): void {
    this.connection.receive(chunk);
    while (this.turns.isDue) this.turns.end();
  }

  define(name: string, ...fields: string[]): void {
    const before = this.replied;
    this.receive(Buffer.from(encodeRequest("HSET", name, ...fields)));
    if (this.replied === before) throw new Error(`'${name}' was not defined`);
  }

  close(): void {
    this.engine.commit();
    this.engine.close();
  }
}
