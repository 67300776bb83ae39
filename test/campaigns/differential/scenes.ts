/** Scenes: each is how a connection comes to its end, played with either server over TCP. */

import { encodeRequest, readReplies, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { type Ending, LateReader } from "../../support/late-reader.ts";
import { escaped } from "./compare.ts";
import { PASSWORD } from "./servers.ts";

/** Requests that are answered before the client reads anything. */
const ANSWERED = 20_000;
const ECHOES = Array.from({ length: ANSWERED }, (_, index) => encodeRequest("ECHO", String(index)));
/** More than a server reads at once. */
const MUCH = encodeRequest("PING").repeat(50_000);
/** More replies than the kernel keeps for a client. */
const LONG_ECHOES = 40;
const LONG = encodeRequest("ECHO", "x".repeat(500_000)).repeat(LONG_ECHOES);
const HALF = "*2\r\n$4\r\nECHO\r\n$1";
const SHOWN_MAX = 2;

/** What a client got in the end, in short. */
export interface Shown {
  readonly replies: number;
  /** Whether the numbers of ECHO are all there, in order. */
  readonly isWhole: boolean;
  readonly last: readonly string[];
  /** "FIN", "RST", or another error of the client's socket. */
  readonly end: string;
}

export function show({ received, end }: Ending): Shown {
  const replies = readReplies(received);
  const texts = replies.map((reply) => (reply instanceof Error ? reply.message : String(reply)));
  const isWhole =
    texts.filter((text) => text.length === 500_000).length === LONG_ECHOES ||
    ECHOES.every((_, index) => texts[index] === String(index));
  const last = texts.slice(-SHOWN_MAX).map((text) => escaped(text).slice(0, 100));
  // Which of the two a reset shows as depends on whether the client was sending.
  const isReset = end === "ECONNRESET" || end === "EPIPE";
  return { replies: replies.length, isWhole, last, end: isReset ? "RST" : end };
}

/** One of the servers, on which scenes are played one after the other. */
export class Stage {
  private readonly port: number;
  private readonly admin: TestClient;
  private readonly open = new Set<LateReader>();

  private constructor(port: number, admin: TestClient) {
    this.port = port;
    this.admin = admin;
  }

  static async on(port: number, password?: string): Promise<Stage> {
    const stage = new Stage(port, await TestClient.connect(port));
    if (password !== undefined) await stage.command("AUTH", password);
    return stage;
  }

  command(...words: string[]) {
    return this.admin.command(...words);
  }

  async connect(): Promise<LateReader> {
    const client = await LateReader.connect({ port: this.port });
    this.open.add(client);
    return client;
  }

  /** What CLIENT LIST shows of a client by its name; undefined once it is gone. */
  async find(name: string): Promise<string | undefined> {
    const list = (await this.command("CLIENT", "LIST")) as string;
    return list.split("\n").find((line) => line.includes(` name=${name} `));
  }

  /** A client that was answered, and has read nothing of it; `last` are more requests. */
  async answered(last = "", first = ""): Promise<LateReader> {
    const client = await this.connect();
    await client.send(`${first}${ECHOES.join("")}${encodeRequest("CLIENT", "SETNAME", "played")}`);
    await until(async () => (await this.find("played")) !== undefined);
    await client.send(last);
    return client;
  }

  async idOf(name: string): Promise<string> {
    return /\bid=(\d+)/.exec((await this.find(name))!)![1]!;
  }

  /** Waits until the client that was answered is gone. */
  async gone(): Promise<void> {
    await until(async () => (await this.find("played")) === undefined);
  }

  /** Lets silent clients of all kinds be closed after a second, and waits until that is done. */
  async silence(): Promise<void> {
    await this.command("CONFIG", "SET", "timeout", "1");
    await this.gone();
    await this.command("CONFIG", "SET", "timeout", "0");
  }

  /** Fills all places; answers the first client that was refused, which had sent a request. */
  async fill(): Promise<LateReader> {
    await this.command("CONFIG", "SET", "maxclients", "2");
    for (;;) {
      const client = await this.connect();
      await client.send(encodeRequest("PING"));
      // Redis may reset a client that sends while it is refused.
      if ((await client.line().catch(() => "reset")) !== "+PONG") return client;
    }
  }

  /** The end of a scene: its clients leave, and the limits are as before. */
  async clear(): Promise<void> {
    for (const client of this.open) client.close();
    this.open.clear();
    await this.command("CONFIG", "SET", "maxclients", "10000");
    await until(async () => Number((await this.admin.info("clients")).connected_clients) === 1);
  }

  close(): void {
    this.admin.close();
  }
}

type Play = (stage: Stage) => Promise<LateReader>;

/** The client is answered, sends this, and reads once the server has ended the connection. */
const after =
  (last: string): Play =>
  async (stage) => {
    const client = await stage.answered(last);
    await stage.gone();
    return client;
  };

/** Another client, or the server, ends it once it was answered. */
const ended =
  (last: string, act: (stage: Stage) => Promise<unknown>): Play =>
  async (stage) => {
    const client = await stage.answered(last);
    await act(stage);
    await stage.gone();
    return client;
  };

const killed = (last: string) =>
  ended(last, async (stage) => stage.command("CLIENT", "KILL", "ID", await stage.idOf("played")));

/** A client with more replies than the kernel takes. */
const flooded =
  (act: (stage: Stage) => Promise<unknown>): Play =>
  async (stage) => {
    const client = await stage.connect();
    void client.send(`CLIENT SETNAME played\r\n${LONG}`);
    // Until nothing more happens: the server waits for the client.
    for (let before: string | undefined; ; ) {
      await Bun.sleep(200);
      const now = (await stage.find("played"))?.replace(/ (age|idle)=\d+/g, "");
      if (now === before && now !== undefined && / (obl|oll|omem)=[1-9]/.test(now)) break;
      before = now;
    }
    await act(stage);
    return client;
  };

/** The ends of connections where no password is set. */
export const openScenes: Readonly<Record<string, Play>> = {
  QUIT: after("QUIT\r\n"),
  "QUIT with a few requests behind it": after("QUIT\r\nPING\r\nPING\r\n"),
  "QUIT with many requests behind it": after(`QUIT\r\n${MUCH}`),
  "QUIT in a transaction": after("MULTI\r\nPING\r\nQUIT\r\n"),
  "a protocol error": after("*x\r\n"),
  "a protocol error with a little input behind it": after("*x\r\nPING\r\n"),
  "a protocol error with much input behind it": after(`*1\r\n$x\r\n${MUCH}`),
  "an HTTP POST": after("POST / HTTP/1.1\r\n\r\n"),
  "an HTTP POST with a long body": after(`POST / HTTP/1.1\r\n\r\n${MUCH}`),
  "an HTTP POST behind an answered request": async (stage) => {
    const client = await stage.answered();
    await client.send("PING\r\nPOST / HTTP/1.1\r\n\r\n");
    await stage.gone();
    return client;
  },
  "CLIENT KILL by ID": killed(""),
  "CLIENT KILL by ID, within a request": killed(HALF),
  "CLIENT KILL by ID, within a transaction": killed("MULTI\r\nPING\r\n"),
  "CLIENT KILL by ADDR": ended("", async (stage) => {
    const [, address] = / addr=(\S+)/.exec((await stage.find("played"))!)!;
    await stage.command("CLIENT", "KILL", "ADDR", address!);
  }),
  "CLIENT KILL by the old form": ended("", async (stage) => {
    const [, address] = / addr=(\S+)/.exec((await stage.find("played"))!)!;
    await stage.command("CLIENT", "KILL", address!);
  }),
  "CLIENT KILL by TYPE": ended("", (stage) => stage.command("CLIENT", "KILL", "TYPE", "normal")),
  "CLIENT KILL of itself": async (stage) => {
    const client = await stage.answered();
    const id = await stage.idOf("played");
    await client.send(`CLIENT KILL ID ${id} SKIPME no\r\nPING\r\n`);
    await stage.gone();
    return client;
  },
  "CLIENT KILL with many unread replies": flooded(async (stage) =>
    stage.command("CLIENT", "KILL", "ID", await stage.idOf("played")),
  ),
  "the idle limit": ended("", (stage) => stage.silence()),
  "the idle limit, within a request": ended(HALF, (stage) => stage.silence()),
  "the idle limit, within a transaction": ended("MULTI\r\nPING\r\n", (stage) => stage.silence()),
  "the idle limit with many unread replies": flooded(async (stage) => {
    await stage.command("CONFIG", "SET", "timeout", "1");
    for (let count = 0; count < 8; count++) {
      await stage.command("PING");
      await Bun.sleep(500);
    }
    await stage.command("CONFIG", "SET", "timeout", "0");
  }),
  "its own end, after all was answered": async (stage) => {
    const client = await stage.answered();
    client.shutdown();
    await stage.gone();
    return client;
  },
  "its own end, at once": async (stage) => {
    const client = await stage.connect();
    await client.send(ECHOES.join(""));
    client.shutdown();
    return client;
  },
  "its own end, within a request": async (stage) => {
    const client = await stage.answered(HALF);
    client.shutdown();
    await stage.gone();
    return client;
  },
  "RESET, then QUIT": after("RESET\r\nQUIT\r\n"),
  "too many clients, one that sends nothing": async (stage) => {
    await stage.fill();
    return stage.connect();
  },
  "too many clients, one that goes on to send": async (stage) => {
    const client = await stage.fill();
    await client.send(MUCH);
    return client;
  },
};

const stranger =
  (...bytes: string[]): Play =>
  async (stage) => {
    const client = await stage.connect();
    for (const each of bytes) {
      await client.send(each);
      for (let count = 0; count < 5; count++) await stage.command("PING");
    }
    return client;
  };

const LOGIN = encodeRequest("AUTH", PASSWORD);
const loggedIn =
  (last: string): Play =>
  async (stage) => {
    const client = await stage.answered(last, LOGIN);
    await stage.gone();
    return client;
  };

/** The ends of connections where a password is set. */
export const passwordScenes: Readonly<Record<string, Play>> = {
  "before AUTH: too many words": stranger("PING\r\n", "*11\r\n"),
  "before AUTH: too many words, with much behind": stranger("PING\r\n", `*11\r\n${MUCH}`),
  "before AUTH: a bulk too long": stranger("PING\r\n", "*2\r\n$4\r\nECHO\r\n$16385\r\n"),
  "before AUTH: a bulk too long, with much behind": stranger(`*1\r\n$16385\r\n${MUCH}`),
  "before AUTH: QUIT": stranger("PING\r\nQUIT\r\nPING\r\n"),
  "before AUTH: an HTTP POST": stranger("POST / HTTP/1.1\r\n\r\n"),
  "before AUTH: a wrong password, then QUIT": stranger("AUTH wrong\r\nQUIT\r\n"),
  "before AUTH: a wrong password in HELLO, then QUIT": stranger(
    "HELLO 3 AUTH default wrong\r\nQUIT\r\n",
  ),
  "after AUTH: QUIT": loggedIn("QUIT\r\n"),
  "after AUTH: RESET, then too many words": loggedIn("RESET\r\n*11\r\n"),
  "after AUTH: a wrong password, then QUIT": loggedIn("AUTH wrong\r\nQUIT\r\n"),
  "after AUTH: CLIENT KILL by USER": async (stage) => {
    const client = await stage.answered("", LOGIN);
    await stage.command("CLIENT", "KILL", "USER", "default");
    await stage.gone();
    return client;
  },
};
