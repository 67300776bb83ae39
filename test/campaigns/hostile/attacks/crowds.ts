/** Many clients at once: polite ones, silent ones, and those that guess passwords. */

import { encodeRequest, ReplyError } from "../../../../testkit/resp.ts";
import { type Attack, CROWD_MAX, expectReply, repeat } from "../attack.ts";
import { type Attacker, addressOf, crowd, inLoop, resetAll } from "../attacker.ts";
import { servePolitely } from "../polite.ts";

const fromMany = (index: number) => ({ from: addressOf(index) });
const WRONG = encodeRequest("AUTH", "a wrong password");

/** What a client sends that begins a handshake of TLS. */
async function clientHello(): Promise<string> {
  const seen = Promise.withResolvers<string>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_, chunk) => seen.resolve(chunk.toString("latin1")) },
  });
  const { port } = server;
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    tls: true,
    socket: { data() {} },
  });
  const hello = await seen.promise;
  client.terminate();
  server.stop(true);
  return hello;
}

export const crowds: readonly Attack[] = [
  {
    name: "polite clients that take durable numbers",
    run: async (siege) => {
      await servePolitely(siege, Math.min(siege.many(10_000), CROWD_MAX), 5);
    },
  },
  {
    name: "polite clients beside those that never read",
    run: async (siege) => {
      const greedy = await crowd(siege.port, siege.many(20), () => ({ reads: false }));
      const request = encodeRequest("ECHO", "x".repeat(100_000)).repeat(100);
      for (const client of greedy) void client.send(request);
      await servePolitely(siege, Math.min(siege.many(2000), CROWD_MAX), 5);
      resetAll(greedy);
    },
  },
  {
    name: "half-sent requests without a log-in, beside polite clients",
    hasPassword: true,
    run: async (siege) => {
      const half = encodeRequest("AUTH", ...repeat(9, () => "x".repeat(16_384))).slice(0, 80_000);
      const count = Math.min(siege.many(2600), CROWD_MAX / 2);
      await servePolitely(siege, Math.min(siege.many(2000), CROWD_MAX / 2), 5, async () => {
        const attackers = await crowd(siege.port, count, fromMany, (each) => void each.send(half));
        await siege.wait(500);
        resetAll(attackers);
      });
    },
  },
  {
    name: "silent clients that take all places",
    hasPassword: true,
    limits: { clients: 200 },
    run: async (siege) => {
      const clients = await crowd(siege.port, Math.max(400, siege.many(200)), fromMany);
      await siege.wait(1000);
      const words = encodeRequest("PING");
      const talking = await crowd(siege.port, siege.many(200), fromMany, (each) => {
        void each.send(words);
      });
      await siege.wait(1000);
      resetAll([...clients, ...talking]);
    },
  },
  {
    name: "users that take all places, and an administrator",
    hasPassword: true,
    isFull: true,
    limits: { clients: 200 },
    run: async (siege) => {
      const hello = (each: Attacker) => void each.send(siege.logIn);
      const users = await crowd(siege.port, Math.max(400, siege.many(200)), fromMany, hello);
      await Bun.sleep(1500);
      const refused = users.filter(({ isClosed }) => isClosed).length;
      if (refused === 0) throw new Error("there is no limit on clients");
      const admin = await siege.client();
      const taken = await admin.command("GET", "durable");
      if (!(taken instanceof ReplyError)) throw new Error("a reserved place gave a number");
      const again = await siege.client();
      expectReply("CONFIG SET", await again.command("CONFIG", "SET", "maxclients", "1000"), "OK");
      const other = await siege.client();
      if (!(Number(await other.command("GET", "durable")) >= 0)) throw new Error("still full");
      resetAll(users);
    },
  },
  {
    name: "wrong passwords from the address of others",
    hasPassword: true,
    run: async (siege) => {
      const count = Math.min(siege.many(1000), 1900);
      const onData = (each: Attacker) => void each.send(WRONG);
      const clients = await crowd(siege.port, count, () => ({ onData }), onData);
      await siege.wait(2000);
      resetAll(clients);
    },
  },
  {
    name: "wrong passwords over and over, with disconnects",
    hasPassword: true,
    run: async (siege) => {
      const endMs = performance.now() + siege.part(3000);
      let sent = 0;
      while (performance.now() < endMs) {
        const hello = (each: Attacker) => void each.send(WRONG.repeat(siege.many(10)));
        const clients = await crowd(siege.port, 200, () => ({}), hello);
        sent += clients.length;
        resetAll(clients);
      }
      if (sent === 0) throw new Error("no password was tried");
    },
  },
  {
    name: "connections that come and go",
    run: async (siege) => {
      for (let round = 0; round < siege.many(20); round++) {
        const ping = (each: Attacker) => void each.send(encodeRequest("PING"));
        resetAll(await crowd(siege.port, 100, () => ({}), ping));
      }
    },
  },
  {
    name: "resets while a commit is under way",
    run: async (siege) => {
      const gets = encodeRequest("GET", "durable").repeat(50);
      for (let round = 0; round < siege.many(20); round++) {
        resetAll(
          await crowd(
            siege.port,
            50,
            () => ({}),
            (each) => void each.send(gets),
          ),
        );
      }
    },
  },
  {
    name: "pipelines of GET of many clients",
    run: async (siege) => {
      await inLoop(siege, siege.many(100), encodeRequest("GET", "quick").repeat(1600));
    },
  },
  {
    name: "handshakes of TLS, whole ones",
    hasPassword: true,
    hasTls: true,
    run: async (siege) => {
      const count = Math.min(siege.many(2000), CROWD_MAX);
      const options = (index: number) => ({ ...fromMany(index), tls: true });
      resetAll(await crowd(siege.tlsPort, count, options));
    },
  },
  {
    name: "handshakes of TLS that stay away",
    hasPassword: true,
    hasTls: true,
    run: async (siege) => {
      const hello = await clientHello();
      const count = Math.min(siege.many(5000), CROWD_MAX);
      const clients = await crowd(siege.tlsPort, count, fromMany);
      for (const each of clients) void each.send(hello);
      await siege.wait(2000);
      resetAll(clients);
    },
  },
  {
    name: "CLIENT LIST and CLIENT KILL among thousands",
    run: async (siege) => {
      const clients = await crowd(
        siege.port,
        Math.min(siege.many(4000), 8000, CROWD_MAX),
        fromMany,
      );
      await inLoop(siege, 10, encodeRequest("CLIENT", "LIST").repeat(2));
      const filters = repeat(siege.many(20_000), () => ["ADDR", "1.2.3.4:5"]).flat();
      await inLoop(siege, 4, encodeRequest("CLIENT", "KILL", ...filters));
      const admin = await siege.client();
      const killed = await admin.command("CLIENT", "KILL", "TYPE", "normal", "LADDR", "nowhere");
      expectReply("CLIENT KILL", killed, 0);
      admin.close();
      resetAll(clients);
    },
  },
];
