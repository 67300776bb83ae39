/**
 * What a client can do to harm the others, each with the memory it may cost the server. Sizes are
 * for the tests; `scale` multiplies the number of clients or requests for a campaign.
 */

import { clientsByDescriptors } from "../../../src/platform/open-files.ts";
import { encodeRequest, TestClient } from "../../../testkit/resp.ts";

const MEBIBYTE = 1024 * 1024;
/**
 * Six times limits.buffer_bytes, as README states: the garbage collector lets memory grow to several
 * times what is held. It holds at any scale.
 */
const BUFFERS_MAX = 6 * 128 * MEBIBYTE;
const repeat = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));

/** A socket that sends what it can, and reads only where it is told to. */
export class Attacker {
  readonly closed = Promise.withResolvers<void>();
  private socket!: Bun.Socket;
  private unsent = Buffer.alloc(0);
  private readonly sent: (() => void)[] = [];

  static async connect(port: number, reads = true): Promise<Attacker> {
    const attacker = new Attacker();
    const ended = () => attacker.end();
    attacker.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: () => {},
        drain: () => attacker.flush(),
        close: ended,
        error: ended,
      },
    });
    if (!reads) attacker.socket.pause();
    return attacker;
  }

  /** Resolves when the kernel has all of it, or the connection is over. */
  send(bytes: string): Promise<void> {
    this.unsent = Buffer.concat([this.unsent, Buffer.from(bytes, "latin1")]);
    const done = new Promise<void>((resolve) => void this.sent.push(resolve));
    this.flush();
    return done;
  }

  /** Closes with a reset. */
  reset(): void {
    this.socket.terminate();
  }

  private end(): void {
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

/** Below the limit on clients, and on the descriptors of the attacker. */
const IDLE_MAX = Math.min(9900, clientsByDescriptors() - 100);

export interface Attack {
  readonly name: string;
  /** How much the server's memory may grow. */
  readonly bytesMax: number;
  readonly run: (port: number, scale: number) => Promise<void>;
}

/** Sends a pipeline and then PING, and waits for the PONG, from several clients at once. */
async function pipelines(port: number, clients: number, bytes: string): Promise<void> {
  const work = async () => {
    const client = await TestClient.connect(port);
    const attacker = await Attacker.connect(port);
    await attacker.send(bytes);
    await client.command("PING");
    attacker.reset();
    client.close();
  };
  await Promise.all(repeat(clients, work));
}

/** Names that bad patterns almost match. */
const LONG_NAMES = 2000;
const longName = (index: number) => `${"a".repeat(240)}${index}`;
const BAD_PATTERN = `${"*a".repeat(120)}b`;

export const attacks: readonly Attack[] = [
  {
    name: "clients that never read",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      const clients = await Promise.all(repeat(20 * scale, () => Attacker.connect(port, false)));
      const request = encodeRequest("ECHO", "x".repeat(100_000)).repeat(100);
      for (const client of clients) void client.send(request);
      const other = await TestClient.connect(port);
      for (let count = 0; count < 200; count++) await other.command("PING");
      for (const client of clients) client.reset();
    },
  },
  {
    name: "half-sent frames",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      const half = `*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(600_000)}`;
      const clients: Attacker[] = [];
      // Some at a time: the copies of hundreds of megabytes at once would keep both cores of a
      // small machine busy, whatever the server does.
      for (let made = 0; made < 600 * scale; made += 20) {
        const some = await Promise.all(repeat(20, () => Attacker.connect(port)));
        await Promise.all(some.map((client) => client.send(half)));
        clients.push(...some);
      }
      for (const client of clients) client.reset();
    },
  },
  {
    name: "bombs of arrays and bulks, nested and huge",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      const many = encodeRequest("EXISTS", ...repeat(100_000, () => "a"));
      const bombs = [
        many.repeat(2 * scale),
        "*1\r\n".repeat(20_000),
        `*1048576\r\n${"$0\r\n\r\n".repeat(100_000)}`,
        encodeRequest("ECHO", "x".repeat(1_000_000)).repeat(5 * scale),
        `*2\r\n$1073741824\r\n`,
        "a\n".repeat(200_000),
      ];
      for (const bomb of bombs) await pipelines(port, 2, bomb);
    },
  },
  {
    name: "patterns for KEYS and SCAN that take long",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      const client = await TestClient.connect(port);
      for (let from = 0; from < LONG_NAMES; from += 100) {
        await client.pipeline(
          repeat(100, (index) => ["HSET", longName(from + index), "type", "1", "length", "9"]),
        );
      }
      const keys = encodeRequest("KEYS", BAD_PATTERN).repeat(scale);
      const scan = encodeRequest("SCAN", "0", "COUNT", "1000000000", "MATCH", BAD_PATTERN);
      await pipelines(
        port,
        5,
        keys + scan.repeat(20 * scale) + encodeRequest("KEYS", "[a]*".repeat(200_000)),
      );
      expectPong(await client.command("PING"));
      client.close();
    },
  },
  {
    name: "connections that come and go",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      for (let round = 0; round < 20 * scale; round++) {
        const clients = await Promise.all(repeat(50, () => Attacker.connect(port)));
        for (const client of clients) void client.send(encodeRequest("PING"));
        for (const client of clients) client.reset();
      }
    },
  },
  {
    name: "resets while a commit is under way",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      for (let round = 0; round < 20 * scale; round++) {
        const clients = await Promise.all(repeat(20, () => Attacker.connect(port)));
        await Promise.all(
          clients.map((client) => client.send(encodeRequest("GET", "durable").repeat(50))),
        );
        for (const client of clients) client.reset();
      }
    },
  },
  {
    name: "transactions that ask for much",
    bytesMax: BUFFERS_MAX,
    run: async (port, scale) => {
      const multi = encodeRequest("MULTI");
      const exec = encodeRequest("EXEC");
      await pipelines(port, 2, (multi + encodeRequest("INFO").repeat(2000) + exec).repeat(scale));
      await pipelines(
        port,
        2,
        (multi + encodeRequest("GET", "memory").repeat(20_000) + exec).repeat(scale),
      );
      await pipelines(port, 2, multi + encodeRequest("ECHO", "x".repeat(100_000)).repeat(100));
    },
  },
  {
    name: "idle connections",
    // A few KiB each.
    bytesMax: 64 * MEBIBYTE,
    run: async (port, scale) => {
      const clients: Attacker[] = [];
      while (clients.length < Math.min(2000 * scale, IDLE_MAX)) {
        clients.push(...(await Promise.all(repeat(100, () => Attacker.connect(port)))));
      }
      const other = await TestClient.connect(port);
      for (let count = 0; count < 500; count++) await other.command("PING");
      for (const client of clients) client.reset();
    },
  },
];

function expectPong(reply: unknown): void {
  if (reply !== "PONG") throw new Error(`PING was answered ${reply}`);
}
