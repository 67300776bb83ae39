/** What an attack is, and what it may use. */

import { clientsByDescriptors } from "../../../src/platform/open-files.ts";
import { encodeRequest, TestClient } from "../../../testkit/resp.ts";

/** Below the default limit on clients, and on the descriptors of the attackers. */
export const CROWD_MAX = Math.min(9900, clientsByDescriptors() - 100);

/** The password of the default user, where an attack's server has one. */
export const PASSWORD = "the-password-of-the-siege";

/** A user as in the settings file. */
interface UserInFile {
  readonly password: string;
  readonly rights: readonly string[];
  readonly names?: readonly string[];
}

export interface Attack {
  readonly name: string;
  /** Whether the server asks for PASSWORD. */
  readonly hasPassword?: boolean;
  /** Users of the server beside the default one. */
  readonly users?: Readonly<Record<string, UserInFile>>;
  /** Settings of its `limits`. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Whether the server listens with TLS, too. */
  readonly hasTls?: boolean;
  /** Whether the server is a node that leases from a PostgreSQL of its own. */
  readonly hasStore?: boolean;
  /** Whether nobody reads the server's log. */
  readonly isLogUnread?: boolean;
  /** How much of a log the server may write during the attack; by default as much as it likes. */
  readonly logBytesMax?: number;
  /** The most memory of the whole server, in MiB; 512 by default. */
  readonly processMebibytesMax?: number;
  /** Whether users take all places, so that no other client can connect. */
  readonly isFull?: boolean;
  /** Runs in a process of its own, and throws where somebody was not served as they should be. */
  run(siege: Siege): Promise<void>;
}

/** The server that is attacked. */
export class Siege {
  readonly port: number;
  readonly tlsPort: number;
  /** 1 stands for the sizes that were once found to do harm. */
  readonly scale: number;
  private readonly hasPassword: boolean;

  constructor(port: number, tlsPort: number, scale: number, { hasPassword = false }: Attack) {
    this.port = port;
    this.tlsPort = tlsPort;
    this.scale = scale;
    this.hasPassword = hasPassword;
  }

  /** So many of something at scale 1. */
  many(count: number): number {
    return Math.ceil(count * this.scale);
  }

  /** How long something is or goes on: a fifth of that where little is done. */
  part(of: number): number {
    return Math.ceil(of * Math.min(1, Math.max(0.2, this.scale)));
  }

  /** Lets the server bear what was sent for a while. */
  wait(milliseconds: number): Promise<void> {
    return Bun.sleep(this.part(milliseconds));
  }

  /** What a client has to send first. */
  get logIn(): string {
    return this.hasPassword ? encodeRequest("AUTH", PASSWORD) : "";
  }

  /** A client of the default user. */
  async client(): Promise<TestClient> {
    const client = await TestClient.connect(this.port);
    if (this.hasPassword) {
      const reply = await client.command("AUTH", PASSWORD);
      expectReply("AUTH with the right password", reply, "OK");
    }
    return client;
  }

  /** Defines so many lines `prefix0`, `prefix1` …; 24-digit names may be long. */
  async define(count: number, nameOf: (index: number) => string, strategy: string): Promise<void> {
    const client = await this.client();
    const fields = ["type", "3", "auto_disk", strategy];
    for (let from = 0; from < count; from += 100) {
      const some = Array.from({ length: Math.min(100, count - from) }, (_, at) => from + at);
      await client.pipeline(some.map((index) => ["HSET", nameOf(index), ...fields]));
    }
    client.close();
  }
}

export function expectReply(what: string, reply: unknown, expected: unknown): void {
  if (reply !== expected) throw new Error(`${what} was answered ${String(reply)}`);
}

export const repeat = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
