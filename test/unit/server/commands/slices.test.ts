/** Commands whose work grows with their input or output do it in slices, and answer as others do. */

import { afterAll, describe, expect, test } from "bun:test";
import { type Reply, ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { startLocal } from "../../../support/server.ts";

const NAMES = 5000;
const names = Array.from({ length: NAMES }, (_, index) => `line:${index}`);
const store = new MemoryStore();
const server = startLocal(store);
const connect = () => TestClient.connect(server.port);
const client = await connect();
const messageOf = (reply: Reply) => (reply instanceof ReplyError ? reply.message : "");

for (let from = 0; from < NAMES; from += 500) {
  await client.pipeline(names.slice(from, from + 500).map((name) => ["HSET", name, "type", "3"]));
}

afterAll(async () => {
  client.close();
  await server.server.stop();
});

/** How many PINGs another client gets answered while the reply comes. */
async function answeredBeside(work: Promise<Reply>): Promise<number> {
  const other = await connect();
  let isOver = false;
  void work.then(() => {
    isOver = true;
  });
  let count = 0;
  while (!isOver) {
    expect(await other.command("PING")).toBe("PONG");
    count++;
  }
  other.close();
  return count;
}

describe("KEYS", () => {
  test("lists all names, in the order in which they were made, behind what came before", async () => {
    const replies = await client.pipeline([["PING"], ["KEYS", "*"], ["ECHO", "after"]]);
    expect(replies).toEqual(["PONG", names, "after"]);
    expect(await client.command("KEYS", "line:499?")).toEqual(names.slice(4990));
    expect(await client.command("KEYS", "nothing")).toEqual([]);
  });

  test("with a pattern that takes long lets others be served", async () => {
    const long = Array.from({ length: 2000 }, (_, index) => `${"a".repeat(240)}${index}`);
    for (let from = 0; from < long.length; from += 100) {
      const some = long.slice(from, from + 100);
      await client.pipeline(some.map((name) => ["HSET", name, "type", "1", "length", "9"]));
    }
    const keys = client.command("KEYS", `${"*a".repeat(120)}b`);
    expect(await answeredBeside(keys)).toBeGreaterThan(1);
    expect(await keys).toEqual([]);
    for (const name of long) await client.command("DEL", name);
  });

  test("lists no name whose definition fails", async () => {
    store.failures = ["unavailable"];
    const [made, listed] = await client.pipeline([
      ["HSET", "failing", "type", "3"],
      ["KEYS", "fail*"],
    ]);
    const failed = "ERR storage unavailable: the disk is full";
    expect(messageOf(made!)).toBe(failed);
    // Where the search takes longer than the turn, it finds the name gone.
    expect(["", failed]).toContain(messageOf(listed!));
    expect([listed].flat()).not.toContain("failing");
    expect(await client.command("KEYS", "fail*")).toEqual([]);
  });
});

describe("EXISTS and DEL of many names", () => {
  test("count those that are there", async () => {
    const asked = [...names, ...Array<string>(1000).fill("nobody"), "line:0"];
    expect(await client.command("EXISTS", ...asked)).toBe(NAMES + 1);
  });

  test("take names some at a time, each some in one commit; the count is of all", async () => {
    const more = Array.from({ length: 1000 }, (_, index) => `more:${index}`);
    await client.pipeline(more.map((name) => ["HSET", name, "type", "3"]));
    const { commits } = server.server.counters;
    expect(await client.command("DEL", ...more, "nobody", "more:0")).toBe(1000);
    expect(server.server.counters.commits - commits).toBe(4);
    expect(await client.command("KEYS", "more:*")).toEqual([]);
  });

  test("that fail in the middle say how many are gone", async () => {
    const some = Array.from({ length: 300 }, (_, index) => `some:${index}`);
    await client.pipeline(some.map((name) => ["HSET", name, "type", "3"]));
    store.failures = [undefined, "unavailable"];
    const refused = messageOf(await client.command("DEL", ...some));
    expect(refused).toMatch(/^ERR storage unavailable: .*; 256 of the names were deleted before$/);
    expect(await client.command("EXISTS", ...some)).toBe(44);
    expect(await client.command("DEL", ...some)).toBe(44);
  });
});

describe("MGET", () => {
  test("takes limits.take numbers at most, also in a transaction", async () => {
    expect(await client.command("CONFIG", "SET", "limits.take", "3")).toBe("OK");
    expect(await client.command("MGET", "line:0", "line:0", "line:0")).toEqual(["0", "1", "2"]);
    const refused = "ERR MGET takes at most 3 numbers at a time, not 4: limits.take";
    const four = ["MGET", ...Array<string>(4).fill("line:0")];
    expect(messageOf(await client.command(...four))).toBe(refused);
    const [, queued, executed] = await client.pipeline([["MULTI"], four, ["EXEC"]]);
    expect(messageOf(queued!)).toBe(refused);
    expect(messageOf(executed!)).toStartWith("EXECABORT");
    expect(await client.command("GET", "line:0")).toBe("3");
    expect(await client.command("CONFIG", "SET", "limits.take", "10000")).toBe("OK");
  });
});

describe("COMMAND", () => {
  test.each(["DOCS", "INFO"])("%s of many words describes each of them", async (what) => {
    const words = Array<string>(6000).fill("get");
    const reply = client.command("COMMAND", what, ...words);
    expect(await answeredBeside(reply)).toBeGreaterThan(1);
    const [one] = (await client.command("COMMAND", what, "get")) as [Reply];
    expect(((await reply) as Reply[]).filter((each) => Bun.deepEquals(each, one)).length).toBe(
      6000,
    );
  });
});

describe("CONFIG GET", () => {
  test("of many patterns shows each setting once", async () => {
    const patterns = Array.from({ length: 8000 }, (_, index) => `maxclient*${index % 7}`);
    expect(await client.command("CONFIG", "GET", ...patterns)).toEqual([]);
    const found = await client.command("CONFIG", "GET", ...patterns, "maxclient*", "m*xclients");
    expect(found).toEqual(["maxclients", expect.any(String)]);
  });
});

describe("CLIENT", () => {
  test("LIST shows all of many clients, in both protocols", async () => {
    const crowd = await Promise.all(Array.from({ length: 300 }, connect));
    for (const each of crowd) expect(await each.command("CLIENT", "SETNAME", "crowd")).toBe("OK");
    for (const protocol of ["2", "3"]) {
      await client.command("HELLO", protocol);
      const lines = String(await client.command("CLIENT", "LIST"))
        .trimEnd()
        .split("\n");
      expect(lines.filter((line) => / name=crowd /.test(line)).length).toBe(300);
      expect(lines.every((line) => /^id=\d+ addr=.* lib-ver=$/.test(line))).toBe(true);
    }
    await client.command("HELLO", "2");
    // The client itself is not among those killed.
    expect(await client.command("CLIENT", "KILL", "TYPE", "normal")).toBeGreaterThanOrEqual(300);
    await Promise.all(crowd.map(({ closed }) => closed));
    expect(await client.command("PING")).toBe("PONG");
  });

  test("KILL counts the last value of each option, as Redis does", async () => {
    const victim = await connect();
    const id = String(await victim.command("CLIENT", "ID"));
    const many = Array.from({ length: 2000 }, () => ["ID", "999999"]).flat();
    expect(await client.command("CLIENT", "KILL", ...many, "ID", id)).toBe(1);
    await victim.closed;
    expect(await client.command("CLIENT", "KILL", "ID", id)).toBe(0);
    expect(messageOf(await client.command("CLIENT", "KILL", ...many, "ID", "x"))).toBe(
      "ERR client-id should be greater than 0",
    );
  });

  test("KILL of the client itself answers it first", async () => {
    const own = await connect();
    const id = String(await own.command("CLIENT", "ID"));
    expect(await own.command("CLIENT", "KILL", "ID", id, "SKIPME", "no")).toBe(1);
    await own.closed;
  });

  test("names of clients and libraries have 255 bytes at most", async () => {
    const fits = "n".repeat(255);
    expect(await client.command("CLIENT", "SETNAME", fits)).toBe("OK");
    expect(await client.command("CLIENT", "GETNAME")).toBe(fits);
    const long = `${fits}n`;
    const refused = (what: string) =>
      new ReplyError(`ERR ${what} may have at most 255 bytes, and this has 256`);
    expect(await client.command("CLIENT", "SETNAME", long)).toEqual(refused("Client names"));
    expect(await client.command("HELLO", "2", "SETNAME", long)).toEqual(refused("Client names"));
    expect(await client.command("CLIENT", "SETINFO", "LIB-NAME", long)).toEqual(
      refused("lib-name"),
    );
    expect(await client.command("CLIENT", "GETNAME")).toBe(fits);
    expect(await client.command("CLIENT", "SETNAME", "")).toBe("OK");
  });
});

test("a PROXY header ends the connection: its error would be taken for the first reply", async () => {
  const balanced = await connect();
  balanced.send("PROXY TCP4 192.0.2.1 192.0.2.2 56324 6380\r\nPING\r\n");
  const answer = balanced.next();
  await balanced.closed;
  expect(await answer).toEqual(new ReplyError("connection closed"));
  expect(server.logged.join("\n")).toContain("client closed: it speaks the PROXY protocol");
});

describe("a transaction", () => {
  const run = (count: number, ...words: string[]) =>
    client.pipeline([["MULTI"], ...Array<string[]>(count).fill(words), ["EXEC"]]);

  test("takes limits.take numbers at most in all", async () => {
    await client.command("CONFIG", "SET", "limits.take", "4");
    const taken = await run(2, "MGET", "line:7", "line:8");
    expect(taken.at(-1)).toHaveLength(2);
    const refused = await run(3, "MGET", "line:7", "line:8");
    expect(messageOf(refused.at(-2)!)).toBe(
      "ERR a transaction takes at most 4 numbers at a time, not 6: limits.take",
    );
    expect(messageOf(refused.at(-1)!)).toStartWith("EXECABORT");
    await client.command("CONFIG", "SET", "limits.take", "10000");
  });

  test.each([
    ["HELLO", 3855],
    ["AUTH a b", 1280],
    ["INFO", 254],
    ["CONFIG GET *", 127],
    ["CLIENT HELP", 3800],
  ])("of %s has about 20 ms of it", async (request, most) => {
    const words = request.split(" ");
    const replies = await run(5000, ...words);
    const queued = replies.slice(1).findIndex((reply) => reply !== "QUEUED");
    expect(queued).toBeWithin(most * 0.9, most * 1.1);
    expect(messageOf(replies.at(-1)!)).toStartWith("EXECABORT");
  });

  test("keeps nothing of what comes once it is broken, and says so", async () => {
    await client.command("CONFIG", "SET", "limits.transaction_bytes", "4096");
    const replies = await run(400, "ECHO", "x".repeat(100));
    await client.command("CONFIG", "SET", "limits.transaction_bytes", "4194304");
    expect(replies.filter((reply) => reply instanceof ReplyError)).toHaveLength(2);
    expect(messageOf(replies.at(-1)!)).toStartWith("EXECABORT");
  });
});

test("HSET takes 128 fields at most, CLIENT TRACKING 1,024 words", async () => {
  const fields = (count: number) => Array<string[]>(count).fill(["step", "1"]).flat();
  const define = (count: number) => client.command("HSET", "f", "type", "3", ...fields(count));
  expect(await define(127)).toBe(2);
  const refused = "ERR HSET takes at most 128 fields, not 129";
  expect(messageOf(await define(128))).toBe(refused);
  const words = ["CLIENT", "TRACKING", "off", ...Array<string>(1024).fill("bcast")];
  expect(messageOf(await client.command(...words))).toBe("ERR syntax error");
  expect(await client.command(...words.slice(0, -1))).toBe("OK");
});

test("a GET does not wait for others' long requests, other requests go before those", async () => {
  const long = ["PING", ...Array<string>(100_000).fill("")];
  const busy = await Promise.all(Array.from({ length: 8 }, connect));
  let isOver = false;
  const work = Promise.all(busy.map((each) => each.command(...long))).then(() => {
    isOver = true;
  });
  const other = await connect();
  let gets = 0;
  let pings = 0;
  while (!isOver) {
    expect(Number(await other.command("GET", "line:9"))).toBe(gets++);
    expect(await other.command("PING")).toBe("PONG");
    pings++;
  }
  // Each is answered in the turn after the one in which it comes, and has no more than one long one.
  expect(gets + pings).toBeGreaterThan(4);
  await work;
  for (const each of [...busy, other]) each.close();
});
