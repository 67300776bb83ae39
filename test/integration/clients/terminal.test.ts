/** redis-cli on a terminal: typed into, and left running to watch the server. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RedisClient } from "bun";
import { ServerProcess } from "../../../testkit/process.ts";
import { Terminal } from "./terminal.ts";

let server = await ServerProcess.start();
const words = ["redis-cli", "-p", String(server.port)];
afterAll(() => server.end("SIGTERM"));

describe("redis-cli on a terminal", () => {
  let terminal: Terminal;
  beforeAll(() => {
    terminal = new Terminal(words);
  });
  afterAll(() => terminal.close());

  /** Types a command and reads what is shown until the next prompt, and that. */
  async function typed(command: string): Promise<{ shown: string; prompt: string }> {
    terminal.type(command);
    const [, shown, prompt] = await terminal.shows(/\n([\s\S]*?)\n?((?:127\.|not )[^\n]*> )$/);
    return { shown: shown!, prompt: prompt! };
  }

  const prompt = `127.0.0.1:${server.port}> `;
  const inTransaction = `127.0.0.1:${server.port}(TX)> `;

  test("shows a prompt, and after each command its reply", async () => {
    await terminal.shows(new RegExp(`${RegExp.escape(prompt)}$`));
    const define = "HSET order type 3 starting 9007199254740993";
    expect(await typed(define)).toEqual({ shown: "(integer) 2", prompt });
    expect(await typed("GET order")).toEqual({ shown: '"9007199254740993"', prompt });
    expect(await typed("3 GET order")).toEqual({
      shown: '"9007199254740994"\n"9007199254740995"\n"9007199254740996"',
      prompt,
    });
    expect(await typed("GET nobody")).toEqual({
      shown: "(error) ERR dispenser not found: 'nobody'",
      prompt,
    });
    expect((await typed("INFO order")).shown).toMatch(/^name:order\n[\s\S]*\nwaste_rate:0\.00%/);
  });

  test("lists the clients, itself among them", async () => {
    const { shown } = await typed("CLIENT LIST");
    expect(shown).toMatch(/^id=\d+ addr=127\.0\.0\.1:\d+ .*\bcmd=client\|list\b.*$/m);
  });

  test("shows by its prompt that a transaction is open", async () => {
    expect(await typed("MULTI")).toEqual({ shown: "OK", prompt: inTransaction });
    expect(await typed("GET order")).toEqual({ shown: "QUEUED", prompt: inTransaction });
    expect(await typed("GET nobody")).toEqual({ shown: "QUEUED", prompt: inTransaction });
    expect(await typed("EXEC")).toEqual({
      shown: "1) \"9007199254740997\"\n2) (error) ERR dispenser not found: 'nobody'",
      prompt,
    });
  });

  test("leaves a transaction by DISCARD, or by a command that there is not", async () => {
    await typed("MULTI");
    await typed("GET order");
    expect(await typed("DISCARD")).toEqual({ shown: "OK", prompt });
    await typed("MULTI");
    await typed("GET order");
    expect((await typed("NOSUCHCOMMAND")).prompt).toBe(inTransaction);
    const { shown, prompt: next } = await typed("EXEC");
    expect([shown, next]).toEqual([
      "(error) EXECABORT Transaction discarded because of previous errors.",
      prompt,
    ]);
    expect((await typed("GET order")).shown).toBe('"9007199254740998"');
  });

  test("goes on after the server was started again", async () => {
    await server.end("SIGTERM");
    expect((await typed("GET order")).prompt).toBe("not connected> ");
    server = await server.startAgain();
    expect(await typed("GET order")).toEqual({ shown: '"9007199254740999"', prompt });
  });

  test("ends", async () => {
    terminal.type("exit");
    expect(await terminal.exited()).toBe(0);
  });
});

describe("redis-cli watches", () => {
  /** A row of --stat. */
  function figuresOf(row: string) {
    const match =
      /^(\d+) +(\d+\.\d\d[KMG]) +(\d+) +(\d+) +(\d+) \(\+(\d+)\) +(\d+) *$/.exec(row) ?? undefined;
    if (match === undefined) return undefined;
    const [keys, , clients, blocked, requests, , connections] = match.slice(1).map(Number);
    return { keys: keys!, clients: clients!, blocked: blocked!, requests: requests!, connections };
  }

  const rowsOf = (screen: string) => screen.split("\n").flatMap((row) => figuresOf(row) ?? []);

  test("names, clients and requests with --stat, as they are", async () => {
    const terminal = new Terminal([...words, "--stat", "-i", "0.05"]);
    await terminal.shows(/^keys +mem +clients +blocked +requests +connections/m);
    const first = await terminal.until((screen) =>
      rowsOf(screen).find(({ clients }) => clients === 1),
    );

    const clients = [0, 1].map(() => new RedisClient(`redis://127.0.0.1:${server.port}`));
    for (const client of clients) await client.connect();
    for (const name of ["new:1", "new:2", "new:3"]) await clients[0]!.hset(name, { type: "3" });
    await Promise.all(Array.from({ length: 200 }, () => clients[1]!.get("new:1")));
    const later = await terminal.until((screen) =>
      rowsOf(screen).find(({ requests }) => requests >= first.requests + 203),
    );
    expect(later).toMatchObject({ keys: first.keys + 3, clients: 3, blocked: 0 });
    expect(later.connections).toBe(first.connections! + 2);

    for (const client of clients) client.close();
    await terminal.until((screen) => rowsOf(screen.slice(-80)).find((row) => row.clients === 1));
    await terminal.close();
  });

  test("latency with --latency and --latency-history", async () => {
    const figures = /min: \d+, max: \d+, avg: \d+\.\d\d \(\d+ samples\)/;
    const now = new Terminal([...words, "--latency"]);
    await now.shows(figures);
    await now.close();
    const history = new Terminal([...words, "--latency-history", "-i", "0.05"]);
    await history.shows(new RegExp(`${figures.source} -- 0\\.\\d\\d seconds range`));
    await history.close();
  });
});
