/** The ends of connections, other protocols, and the log. */

import { encodeRequest, type TestClient } from "../../../../testkit/resp.ts";
import { until } from "../../../../testkit/until.ts";
import { type Attack, expectReply, repeat, type Siege } from "../attack.ts";
import { Attacker, addressOf, crowd, resetAll } from "../attacker.ts";

const GET = encodeRequest("GET", "quick");
const CONTROL = "\x01".repeat(16_000);

/** A client that begins to read only when it is told to, and counts the lines that it gets. */
class LateReader {
  lines = 0;
  attacker!: Attacker;

  static async connect(port: number, reads = false): Promise<LateReader> {
    const reader = new LateReader();
    const onData = (_: Attacker, chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) reader.lines++;
    };
    reader.attacker = await Attacker.connect(port, { reads, onData });
    return reader;
  }
}

/** How many numbers of the line `quick` were handed out. */
async function handedOut(client: TestClient): Promise<number> {
  return Number((await client.info("quick")).generated);
}

/** Ends late readers by `end`: everything that was answered has to arrive, and then FIN. */
function lateReaders(name: string, end: (siege: Siege) => Promise<void>, quit = ""): Attack {
  return {
    name,
    run: async (siege) => {
      const client = await siege.client();
      const before = await handedOut(client);
      const count = siege.many(20_000);
      const readers = await Promise.all(repeat(3, () => LateReader.connect(siege.port)));
      const hello = encodeRequest("CLIENT", "SETNAME", "late");
      for (const { attacker } of readers) void attacker.send(hello + GET.repeat(count) + quit);
      await until(async () => (await handedOut(client)) - before >= 3 * count);
      await end(siege);
      await siege.wait(500);
      for (const { attacker } of readers) attacker.read();
      await Promise.all(readers.map(({ attacker }) => attacker.closed.promise));
      for (const { lines, attacker } of readers) {
        if (attacker.wasReset) throw new Error("a late reader was reset");
        if (lines < 2 * count)
          throw new Error(`a late reader got ${lines / 2} of ${count} numbers`);
      }
      client.close();
    },
  };
}

export const ends: readonly Attack[] = [
  lateReaders("late readers, and QUIT", async () => {}, encodeRequest("QUIT")),
  lateReaders("late readers, and a broken request", async () => {}, "*1\r\nx\r\n"),
  lateReaders("late readers, and CLIENT KILL", async (siege) => {
    const client = await siege.client();
    const list = String(await client.command("CLIENT", "LIST"));
    for (const [, id] of list.matchAll(/^id=(\d+) .* name=late /gm)) {
      const killed = await client.command("CLIENT", "KILL", "ID", id!);
      expectReply("CLIENT KILL", killed, 1);
    }
    client.close();
  }),
  {
    name: "a pipeline that is written before anything is read",
    run: async (siege) => {
      const count = siege.many(550_000);
      const reader = await LateReader.connect(siege.port);
      const sent = reader.attacker.send(GET.repeat(count));
      await Promise.race([sent, Bun.sleep(5000)]);
      reader.attacker.read();
      await Promise.race([
        until(() => reader.lines >= 2 * count || reader.attacker.isClosed),
        Bun.sleep(20_000),
      ]);
      if (reader.lines < 2 * count && !reader.attacker.isClosed) throw new Error("it hangs");
      if (reader.lines < 2 * count) throw new Error(`it got ${reader.lines / 2} of ${count}`);
      reader.attacker.reset();
    },
  },
  {
    name: "QUIT, and a flood behind it",
    hasPassword: true,
    run: async (siege) => {
      const from = (index: number) => ({ from: addressOf(index) });
      const clients = await crowd(siege.port, siege.many(500), from);
      const endMs = performance.now() + siege.part(2000);
      const flood = "x".repeat(256 * 1024);
      await Promise.all(
        clients.map(async (each) => {
          void each.send(encodeRequest("QUIT"));
          while (performance.now() < endMs && !each.isClosed) {
            await Promise.race([each.send(flood), Bun.sleep(endMs - performance.now())]);
          }
        }),
      );
      resetAll(clients);
    },
  },
  {
    name: "wrong passwords of control characters",
    hasPassword: true,
    logBytesMax: 64 * 1024,
    run: floodLog,
  },
  {
    name: "wrong passwords of control characters, and nobody reads the log",
    hasPassword: true,
    isLogUnread: true,
    run: floodLog,
  },
  {
    name: "connections that come and go, and nobody reads the log",
    isLogUnread: true,
    run: async (siege) => {
      for (let round = 0; round < siege.many(20); round++) {
        const nonsense = (each: Attacker) => void each.send("*x\r\nPROXY \u0001\r\n");
        resetAll(await crowd(siege.port, 100, () => ({}), nonsense));
      }
    },
  },
  {
    name: "a PROXY header, HTTP and TLS on a plain port",
    run: async (siege) => {
      const headers = [
        "PROXY TCP4 10.0.0.1 10.0.0.2 1234 6380\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x04\xd2\x18\xec",
        "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01",
      ];
      for (const header of headers) {
        const reader = await LateReader.connect(siege.port, true);
        void reader.attacker.send(header + GET.repeat(siege.many(10)));
        await Promise.race([reader.attacker.closed.promise, Bun.sleep(2000)]);
        const name = JSON.stringify(header.slice(0, 12));
        if (!reader.attacker.isClosed) throw new Error(`${name} did not end the connection`);
        if (reader.lines > 0) throw new Error(`${name} was answered`);
      }
    },
  },
];

async function floodLog(siege: Siege): Promise<void> {
  const request = encodeRequest("AUTH", CONTROL, CONTROL);
  for (let round = 0; round < siege.many(10); round++) {
    const from = (index: number) => ({ from: addressOf(index) });
    const clients = await crowd(siege.port, 200, from, (each) => void each.send(request));
    await Bun.sleep(50);
    resetAll(clients);
  }
}
