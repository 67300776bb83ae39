/**
 * A connection, the engine and the store in this process, with no socket: bytes go in, bytes come
 * out, and the turn ends when its caller says so.
 */

import { loadConfig } from "../../src/config/load.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Server } from "../../src/server/server.ts";
import { CommitTurn } from "../../src/server/session/commit-turn.ts";
import { Connection } from "../../src/server/session/connection.ts";
import { openSqliteStore } from "../../src/storage/sqlite.ts";
import { silent } from "../../test/support/server.ts";
import { encodeRequest } from "../../testkit/resp.ts";

/** A socket that takes everything, and counts it. */
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
  private readonly turn: CommitTurn;
  private readonly connection: Connection;
  private isStaged = false;

  constructor(dataDir: string) {
    const config = loadConfig(new Map([["addr", "127.0.0.1:0"]]), {});
    const store = openSqliteStore(dataDir, config);
    const now = () => performance.now();
    const onStaged = () => {
      this.isStaged = true;
    };
    const engine = new Engine(store, { now, savesCounts: config.autoSave, onStaged });
    const listener = new Server({
      config,
      engine,
      log: silent,
      now,
      countsEveryMs: 0,
      onShutdown: () => {},
      onFatal: (error) => {
        throw error;
      },
    });
    this.engine = engine;
    this.turn = new CommitTurn({ engine, log: silent, counters: listener.counters });
    const host = {
      engine,
      server: listener,
      onHeld: (connection: Connection) => this.turn.hold(connection),
      // Not GETs alone: the bench asks for nothing else that takes long.
      onDeferred: (connection: Connection) => connection.goOn(),
      onBuffered: () => {},
      guarded: (work: () => void) => work(),
    };
    const peer = { id: 1, address: "bench", localAddress: "bench", host: "bench", isLocal: true };
    this.connection = new Connection(host, this.wire, peer);
  }

  /** Bytes of replies that left. */
  get replied(): number {
    return this.wire.bytes;
  }

  /** What a chunk asks for, and the end of its turn. */
  receive(chunk: Buffer): void {
    this.connection.receive(chunk);
    if (!this.isStaged) return;
    this.isStaged = false;
    this.turn.end();
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
