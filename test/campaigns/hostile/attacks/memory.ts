/** What a client makes the server keep. */

import { encodeRequest, ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { type Attack, CROWD_MAX, expectReply, repeat } from "../attack.ts";
import { type Attacker, addressOf, crowd, inLoop, resetAll } from "../attacker.ts";

const LONG = "x".repeat(255);

/** The most that a client may send that has not logged in: ten words of 16 KiB. */
const LARGEST = encodeRequest("AUTH", ...repeat(9, () => "x".repeat(16_384)));
const fromMany = (index: number) => ({ from: addressOf(index) });

/** So many lines with long names, which take a while to list. */
const longName = (index: number) => `${"a".repeat(240)}${index}`;
/** The longest names there are, and what they count. */
const veryLongName = (index: number) => String(index).padStart(255, "n");
const BYTES_PER_NAME = 1000 + 255;
const NAMES = 80_000;
/** A fifth more than those of scale 1 take. */
const NAMES_BYTES = 1.2 * NAMES * BYTES_PER_NAME;
const BAD_PATTERN = `${"*a".repeat(120)}b`;

export const memory: readonly Attack[] = [
  {
    name: "clients that never read",
    run: async (siege) => {
      const clients = await crowd(siege.port, siege.many(20), () => ({ reads: false }));
      const request = encodeRequest("ECHO", "x".repeat(100_000)).repeat(100);
      for (const client of clients) void client.send(request);
      await siege.wait(1000);
      resetAll(clients);
    },
  },
  {
    name: "half-sent requests of users",
    run: async (siege) => {
      const half = `*2\r\n$4\r\nECHO\r\n$1000000\r\n${"x".repeat(600_000)}`;
      const clients: Attacker[] = [];
      for (let made = 0; made < siege.many(600); made += 20) {
        const some = await crowd(siege.port, 20);
        await Promise.all(some.map((client) => client.send(half)));
        clients.push(...some);
      }
      resetAll(clients);
    },
  },
  {
    name: "half-sent requests without a log-in",
    hasPassword: true,
    run: async (siege) => {
      const half = LARGEST.slice(0, LARGEST.length / 2);
      const count = Math.min(siege.many(2600), CROWD_MAX);
      const clients = await crowd(siege.port, count, fromMany, (each) => void each.send(half));
      await siege.wait(1000);
      resetAll(clients);
    },
  },
  {
    name: "whole requests without a log-in, and silence",
    hasPassword: true,
    run: async (siege) => {
      const count = Math.min(siege.many(10_000), CROWD_MAX);
      const clients = await crowd(siege.port, count, fromMany, (each) => void each.send(LARGEST));
      await siege.wait(1000);
      resetAll(clients);
    },
  },
  {
    name: "long passwords that wait for their answer, and disconnects",
    hasPassword: true,
    run: async (siege) => {
      const request = encodeRequest("AUTH", "x".repeat(16_384), "x".repeat(16_384));
      for (let round = 0; round < siege.many(10); round++) {
        const clients = await crowd(siege.port, 1000, fromMany, (each) => void each.send(request));
        await Bun.sleep(100);
        resetAll(clients);
      }
    },
  },
  {
    name: "requests without a log-in in a flood",
    hasPassword: true,
    run: async (siege) => {
      const flood = encodeRequest("PING", "x".repeat(16_000)).repeat(20);
      const clients = await crowd(siege.port, siege.many(500), fromMany);
      const endMs = performance.now() + siege.part(2000);
      const work = clients.map(async (each) => {
        while (performance.now() < endMs && !each.isClosed) {
          await Promise.race([each.send(flood), Bun.sleep(endMs - performance.now())]);
        }
      });
      await Promise.all(work);
      resetAll(clients);
    },
  },
  {
    name: "names of clients, and replies made of them",
    run: async (siege) => {
      const client = await siege.client();
      const refused = await client.command("CLIENT", "SETNAME", "n".repeat(1_000_000));
      if (!(refused instanceof ReplyError)) throw new Error("a name of a megabyte was taken");
      expectReply("SETNAME", await client.command("CLIENT", "SETNAME", LONG), "OK");
      const ask = encodeRequest("CLIENT", "GETNAME").repeat(4400);
      const echo = encodeRequest("ECHO", "x".repeat(950)).repeat(4400);
      for (const inside of [ask, echo]) {
        const requests =
          encodeRequest("CLIENT", "SETNAME", LONG) +
          encodeRequest("MULTI") +
          inside +
          encodeRequest("EXEC");
        await inLoop(siege, siege.many(4), requests);
      }
      client.close();
    },
  },
  {
    name: "users with long names, and CLIENT LIST",
    hasPassword: true,
    users: Object.fromEntries(
      repeat(25, (index) => [
        LONG.slice(2) + String(index + 10),
        { password: "p", rights: ["take"] },
      ]),
    ),
    run: async (siege) => {
      const hello = (each: Attacker, index: number) => {
        const user = LONG.slice(2) + String((index % 25) + 10);
        const words = ["HELLO", "3", "AUTH", user, "p", "SETNAME", LONG];
        void each.send(
          encodeRequest(...words) +
            encodeRequest("CLIENT", "SETINFO", "LIB-NAME", LONG) +
            encodeRequest("CLIENT", "SETINFO", "LIB-VER", LONG),
        );
      };
      const count = Math.min(siege.many(4000), 8000, CROWD_MAX);
      const clients = await crowd(siege.port, count, fromMany, hello);
      await siege.wait(1000);
      const client = await siege.client();
      const list = String(await client.command("CLIENT", "LIST"));
      const shown = list.split(LONG.slice(0, -2)).length;
      if (shown < count * 3) throw new Error(`CLIENT LIST shows ${shown} long names`);
      client.close();
      await inLoop(siege, 4, encodeRequest("CLIENT", "LIST"));
      resetAll(clients);
    },
  },
  {
    name: "patterns of KEYS that wait",
    run: async (siege) => {
      await siege.define(siege.many(5000), longName, "memory");
      const keys = encodeRequest("KEYS", `*${"[ab]".repeat(250)}*`);
      const sets = encodeRequest("KEYS", "*[a]".repeat(254));
      const clients = await crowd(siege.port, Math.min(siege.many(2500), CROWD_MAX), fromMany);
      for (const each of clients) void each.send(keys + sets);
      await siege.wait(2000);
      resetAll(clients);
    },
  },
  {
    name: "patterns for KEYS and SCAN that take long",
    run: async (siege) => {
      await siege.define(2000, longName, "memory");
      const keys = encodeRequest("KEYS", BAD_PATTERN);
      const scan = encodeRequest("SCAN", "0", "COUNT", "1000000000", "MATCH", BAD_PATTERN);
      const large = encodeRequest("KEYS", "[a]*".repeat(200_000));
      await inLoop(siege, siege.many(5), keys + scan.repeat(20) + large);
    },
  },
  {
    // Each request makes 8 MiB of words at once, of clients that are then closed: 460 to 590 MiB were
    // measured at twice this size, depending on when the garbage collector gets to them.
    name: "words of jobs that wait",
    processMebibytesMax: 768,
    run: async (siege) => {
      const words = repeat(
        130_000,
        (index) => String.fromCharCode(97 + (index % 26)) + (index % 9),
      );
      const request = encodeRequest("COMMAND", "INFO", ...words);
      const clients = await crowd(siege.port, siege.many(150));
      for (const each of clients) void each.send(request);
      await siege.wait(3000);
      resetAll(clients);
    },
  },
  {
    // The lines take memory, too, as limits.names_bytes says: 75 MiB at twice this size.
    name: "long lists that nobody reads",
    run: async (siege) => {
      await siege.define(siege.many(25_000), longName, "memory");
      const clients = await crowd(siege.port, siege.many(40), () => ({ reads: false }));
      for (const each of clients) void each.send(encodeRequest("KEYS", "*"));
      await siege.wait(3000);
      resetAll(clients);
    },
  },
  {
    name: "names up to limits.names_bytes",
    limits: { names_bytes: NAMES_BYTES },
    run: async (siege) => {
      await siege.define(siege.many(NAMES), veryLongName, "memory");
      const client = await siege.client();
      const size = Number(await client.command("DBSIZE"));
      if (size * BYTES_PER_NAME > NAMES_BYTES) throw new Error(`there are ${size} names`);
      if (size < Math.min(siege.many(NAMES), NAMES)) throw new Error(`only ${size} names fit`);
      client.close();
    },
  },
  {
    name: "transactions that fill up",
    run: async (siege) => {
      const request = encodeRequest("MULTI") + encodeRequest("ECHO", "x".repeat(10)).repeat(25_000);
      const clients = await crowd(siege.port, siege.many(100));
      for (const each of clients) void each.send(request);
      await siege.wait(3000);
      resetAll(clients);
    },
  },
  {
    name: "bombs of arrays and bulks, nested and huge",
    run: async (siege) => {
      const bombs = [
        "*1\r\n".repeat(20_000),
        `*1048576\r\n${"$0\r\n\r\n".repeat(100_000)}`,
        "*2\r\n$1073741824\r\n",
        "a\n".repeat(200_000),
      ];
      for (const bomb of bombs) await inLoop(siege, siege.many(4), bomb, 300);
    },
  },
  {
    name: "idle connections",
    run: async (siege) => {
      const clients = await crowd(siege.port, Math.min(siege.many(10_000), CROWD_MAX));
      const other = await TestClient.connect(siege.port);
      for (let count = 0; count < 500; count++) await other.command("PING");
      resetAll(clients);
    },
  },
];
