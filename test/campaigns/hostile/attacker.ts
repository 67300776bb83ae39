/** Sockets of those who attack: they send what they can, and read where they are told to. */

import { encodeRequest } from "../../../testkit/resp.ts";
import type { Siege } from "./attack.ts";

const AT_A_TIME = 100;

export interface AttackerOptions {
  /** Whether it reads what comes; a server that is not read from soon cannot send any more. */
  readonly reads?: boolean;
  /** The address that it comes from, any of 127.0.0.0/8. */
  readonly from?: string;
  readonly tls?: boolean;
  /** Is given what comes. */
  readonly onData?: (attacker: Attacker, chunk: Buffer) => void;
}

export class Attacker {
  readonly closed = Promise.withResolvers<void>();
  isClosed = false;
  /** Whether the connection ended with a reset. */
  wasReset = false;
  private socket!: Bun.Socket;
  private unsent = Buffer.alloc(0);
  private readonly sent: (() => void)[] = [];

  static async connect(port: number, options: AttackerOptions = {}): Promise<Attacker> {
    const { reads = true, from, tls = false, onData } = options;
    const attacker = new Attacker();
    const settings = {
      hostname: "127.0.0.1",
      port,
      // Missing in the types.
      ...(from !== undefined && { localAddress: from }),
      ...(tls && { tls: { rejectUnauthorized: false } }),
      socket: {
        data: (_: Bun.Socket, chunk: Buffer) => onData?.(attacker, chunk),
        drain: () => attacker.flush(),
        close: (_: Bun.Socket, error?: Error) => attacker.end(error !== undefined),
        error: () => attacker.end(true),
      },
    };
    attacker.socket = await Bun.connect(settings);
    if (!reads) attacker.socket.pause();
    return attacker;
  }

  /** Resolves when the kernel has all of it, or the connection is over. */
  send(bytes: string): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.unsent = Buffer.concat([this.unsent, Buffer.from(bytes, "latin1")]);
    const done = new Promise<void>((resolve) => void this.sent.push(resolve));
    this.flush();
    return done;
  }

  /** Begins to read. */
  read(): void {
    this.socket.resume();
  }

  /** Closes with a reset. */
  reset(): void {
    this.socket.terminate();
  }

  private end(isReset: boolean): void {
    this.isClosed = true;
    this.wasReset ||= isReset;
    this.unsent = Buffer.alloc(0);
    this.closed.resolve();
    for (const done of this.sent.splice(0)) done();
  }

  private flush(): void {
    const accepted = this.socket.write(this.unsent);
    if (accepted > 0) this.unsent = this.unsent.subarray(accepted);
    if (this.unsent.length === 0) for (const done of this.sent.splice(0)) done();
  }
}

/**
 * Connects so many of them, some at a time; each says `hello` as soon as it is connected. A
 * connection that the server refuses is left out.
 */
export async function crowd(
  port: number,
  count: number,
  options: (index: number) => AttackerOptions = () => ({}),
  hello: (attacker: Attacker, index: number) => void = () => {},
): Promise<Attacker[]> {
  const attackers: Attacker[] = [];
  for (let made = 0; made < count; made += AT_A_TIME) {
    const some = Array.from({ length: Math.min(AT_A_TIME, count - made) }, async (_, index) => {
      const attacker = await Attacker.connect(port, options(made + index));
      hello(attacker, made + index);
      attackers.push(attacker);
    });
    await Promise.allSettled(some);
  }
  return attackers;
}

/** As many addresses of this machine as are needed so that no more than 1,000 share one. */
export const addressOf = (index: number): string => `127.0.1.${1 + Math.floor(index / 1000)}`;

export function resetAll(attackers: readonly Attacker[]): void {
  for (const attacker of attackers) attacker.reset();
}

const AGAIN = "~again~";
const [AGAIN_REQUEST, AGAIN_REPLY] = [encodeRequest("ECHO", AGAIN), `$${AGAIN.length}\r\n${AGAIN}`];

/** So much of the end of replies is looked at. */
const TAIL_BYTES = 128;

/**
 * So many clients send requests, and once they are answered send them again, for some time. One
 * that the server closes comes back. Answers how many rounds were answered, how many
 * transactions were refused, and how many connections were closed.
 */
export async function inLoop(
  siege: Pick<Siege, "port" | "logIn" | "part">,
  clients: number,
  requests: string,
  milliseconds = 1500,
): Promise<{ rounds: number; refused: number; closed: number }> {
  const { port, logIn } = siege;
  const endMs = performance.now() + siege.part(milliseconds);
  const counts = { rounds: 0, refused: 0, closed: 0 };
  const work = async () => {
    while (performance.now() < endMs) {
      let tail = "";
      let answered = Promise.withResolvers<void>();
      const onData = (_: Attacker, chunk: Buffer) => {
        const from = Math.max(0, chunk.length - TAIL_BYTES);
        tail = (tail + chunk.toString("latin1", from)).slice(-TAIL_BYTES);
        if (tail.includes(AGAIN_REPLY)) answered.resolve();
      };
      const attacker = await Attacker.connect(port, { onData });
      void attacker.send(logIn);
      while (performance.now() < endMs && !attacker.isClosed) {
        tail = "";
        answered = Promise.withResolvers<void>();
        void attacker.send(requests + AGAIN_REQUEST);
        await Promise.race([answered.promise, attacker.closed.promise]);
        if (tail.includes("-EXECABORT")) counts.refused++;
        if (!attacker.isClosed) counts.rounds++;
      }
      if (attacker.isClosed) counts.closed++;
      else attacker.reset();
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
  return counts;
}
