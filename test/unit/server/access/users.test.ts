/** Who may do what: passwords, users, rights by group of commands and by pattern of names. */

import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePassword } from "../../../../src/config/kinds.ts";
import { type Config, type Right, rights, rightsIn } from "../../../../src/config/settings.ts";
import type { Command } from "../../../../src/server/commands/command.ts";
import { commands } from "../../../../src/server/commands/table.ts";
import { root } from "../../../../testkit/process.ts";
import { type Reply, ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { type LocalServer, startInMemory } from "../../../support/server.ts";

const SECRET = "long-and-random";
const WRONG = "WRONGPASS invalid username-password pair or user is disabled.";
const NO_AUTH = "NOAUTH Authentication required.";
const error = (text: string) => new ReplyError(text);

const servers: LocalServer<never>[] = [];
afterAll(() => Promise.all(servers.map(({ server: listener }) => listener.stop())));

function start(overrides: Partial<Config>) {
  const server = startInMemory(overrides);
  servers.push(server as unknown as LocalServer<never>);
  return server;
}

function user(name: string, granted: readonly Right[], names = ["*"]) {
  return { name, passwordHash: parsePassword(SECRET)!, rights: granted, names };
}

async function connectAs(port: number, name: string): Promise<TestClient> {
  const client = await TestClient.connect(port);
  expect(await client.command("AUTH", name, SECRET)).toBe("OK");
  return client;
}

const messageOf = (reply: Reply) => (reply instanceof ReplyError ? reply.message : "");

/** A request of a command with so many words, its names those of a dispenser the user may use. */
function requestOf({ name, arity }: Command): string[] {
  const words = name.split("|");
  return [...words, ...Array<string>(Math.max(0, Math.abs(arity) - words.length)).fill("own:x")];
}

/** The commands that run, subcommands in the place of their parents. */
const runnable = [...commands.values()].flatMap((command) =>
  command.subcommands === undefined ? [command] : [...command.subcommands.values()],
);

describe("a password", () => {
  const server = start({ requirepass: parsePassword(SECRET) });

  test("is asked for before anything but what logs in", async () => {
    const client = await TestClient.connect(server.port);
    for (const command of runnable) {
      if (command.flags.includes("no_auth")) continue;
      const reply = await client.command(...requestOf(command));
      // An EXEC that is refused says so in its own way, as in Redis.
      const ends = command.name === "exec" ? "EXECABORT Transaction discarded because of: " : "";
      expect([command.name, messageOf(reply)]).toEqual([command.name, ends + NO_AUTH]);
    }
    expect(messageOf(await client.command("HELLO", "3"))).toStartWith("NOAUTH HELLO must be");
    expect(await client.command("AUTH", SECRET)).toBe("OK");
    expect(await client.command("PING")).toBe("PONG");
    expect(await client.command("RESET")).toBe("RESET");
    expect(await client.command("PING")).toEqual(error(NO_AUTH));
    expect(await client.command("AUTH", "default", SECRET)).toBe("OK");
    client.close();
  });

  test("given with HELLO logs in and chooses the protocol", async () => {
    const client = await TestClient.connect(server.port);
    const greeting = await client.command("HELLO", "3", "AUTH", "default", SECRET);
    expect((greeting as Map<Reply, Reply>).get("proto")).toBe(3);
    expect(await client.command("PING")).toBe("PONG");
    client.close();
  });

  test("that is wrong is answered late, logged with the address, and changes nothing", async () => {
    const client = await TestClient.connect(server.port);
    const began = performance.now();
    expect(await client.command("AUTH", "guess")).toEqual(error(WRONG));
    expect(await client.command("HELLO", "3", "AUTH", "nobody", SECRET)).toEqual(error(WRONG));
    expect(performance.now() - began).toBeGreaterThan(1900);
    expect(server.logged.join("\n")).toMatch(
      /warning wrong password client=127\.0\.0\.1:\d+ user=default\n.*user=nobody/,
    );
    expect(await client.command("PING")).toEqual(error(NO_AUTH));
    client.close();
  });

  test("that is right is let in at once, however many wrong ones come from its address", async () => {
    const guessers = await Promise.all(
      Array.from({ length: 50 }, () => TestClient.connect(server.port)),
    );
    let answered = 0;
    const replies = guessers.map(async (client, index) => {
      const answer = messageOf(await client.command("AUTH", `guess${index}`));
      answered++;
      return answer;
    });
    const right = await TestClient.connect(server.port);
    expect(await right.command("AUTH", SECRET)).toBe("OK");
    expect(answered).toBe(0);
    expect(await Promise.all(replies)).toEqual(Array(50).fill(WRONG));
    for (const client of [right, ...guessers]) client.close();
  });

  test("is in no log, INFO or CONFIG GET, nor is its hash", async () => {
    const client = await connectAs(server.port, "default");
    const shown = JSON.stringify([
      await client.command("CONFIG", "GET", "*"),
      await client.command("CONFIG", "GET", "requirepass", "access.requirepass", "users"),
      await client.command("INFO"),
      await client.command("CLIENT", "LIST"),
      server.logged,
    ]);
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain("guess");
    expect(shown).not.toContain(parsePassword(SECRET)!.toString("hex"));
    expect(JSON.stringify(server.server.config)).not.toContain(SECRET);
    const refused = messageOf(await client.command("CONFIG", "SET", "access.requirepass", "x"));
    expect(refused).toContain("can't set immutable config");
    client.close();
  });

  test("may be given as its hash", async () => {
    const hash = parsePassword(SECRET)!.toString("hex");
    expect(parsePassword(`sha256:${hash.toUpperCase()}`)).toEqual(parsePassword(SECRET));
    expect(parsePassword("sha256:beef")).toBeUndefined();
    const client = await TestClient.connect(server.port);
    expect(await client.command("AUTH", `sha256:${hash}`)).toEqual(error(WRONG));
    client.close();
  });
});

test("a stranger may ask whether the server is ready, and is as strange as before", async () => {
  const { port, server: listener } = start({ requirepass: parsePassword(SECRET) });
  const client = await TestClient.connect(port);
  client.send("READY\r\n");
  expect(await client.next()).toBe("READY");
  expect(await client.command("PING")).toEqual(error(NO_AUTH));
  expect(listener.engine.size).toBe(0);
  client.close();
});

test("a stranger's requests are small, as in Redis", async () => {
  const { port } = start({ requirepass: parsePassword(SECRET) });
  const bombs = { multibulk: "*11\r\n", bulk: "*2\r\n$4\r\nAUTH\r\n$16385\r\n" };
  for (const [what, bytes] of Object.entries(bombs)) {
    const client = await TestClient.connect(port);
    client.send(bytes);
    const message = `ERR Protocol error: unauthenticated ${what} length`;
    expect(await client.next()).toEqual(error(message));
    await client.closed;
  }
});

describe("a right", () => {
  const { port } = start({ users: rights.map((right) => user(`only-${right}`, [right])) });
  // Run for real these would end the client that asks, or the server, or write a file.
  const deadly = ["quit", "shutdown", "backup", "client|reply"];

  test.each([...rights])("%s alone lets a user run its commands, and no others", async (right) => {
    const client = await connectAs(port, `only-${right}`);
    for (const command of runnable) {
      const isPart = rightsIn[right]?.some((part) => part === command.right) ?? false;
      const isHis = command.right === undefined || command.right === right || isPart;
      if (isHis && (deadly.includes(command.name) || command.group === "transactions")) continue;
      if (command.flags.includes("no_auth")) continue;
      const refused =
        `NOPERM User 'only-${right}' may not run '${command.name}': ` +
        `that needs the right '${command.right}'`;
      const message = messageOf(await client.command(...requestOf(command)));
      if (isHis) expect([command.name, message]).not.toEqual([command.name, refused]);
      else expect([command.name, message]).toEqual([command.name, refused]);
    }
    client.close();
  });

  test("is needed by the commands that the settings' file says", () => {
    const text = readFileSync(join(root, "config/config.yaml"), "utf8");
    for (const right of ["take", "inspect", "verify", "create", "manage", "admin"] as const) {
      const [, said] = new RegExp(`^ +# +${right} +([A-Z].*)$`, "m").exec(text)!;
      // INFO needs it for one name alone, and HSET for one word.
      const names = said!
        .replace(/INFO name, |, and HSET with.*/g, "")
        .replace(/\b(\w+) (\w+) and (\w+)/g, "$1 $2, $1 $3")
        .split(", ")
        .map((name) => name.replace(" ", "|"));
      const known = runnable.filter((command) => command.right === right);
      expect([right, ...known.map(({ name }) => name.toUpperCase()).sort()]).toEqual([
        right,
        ...names.sort(),
      ]);
    }
    expect(runnable.filter((command) => command.right === "define")).toEqual([]);
  });
});

describe("a pattern of names", () => {
  const own = user("own", ["define", "take", "inspect", "verify"], ["own:*", "shared"]);
  const { port } = start({ users: [own, user("all", rights)] });
  const refused = error("NOPERM User 'own' may not use one of these names");

  test("holds for every name of every command", async () => {
    const all = await connectAs(port, "all");
    const client = await connectAs(port, "own");
    for (const name of ["own:x", "shared", "other"]) {
      expect(await all.command("HSET", name, "type", "3")).toBe(1);
    }
    for (const { name, arity, keys } of runnable) {
      if (keys[0] === 0) continue;
      const words = Array<string>(Math.abs(arity) - 1).fill("1");
      expect([name, await client.command(name, "other", ...words.slice(1))]).toEqual([
        name,
        refused,
      ]);
      if (keys[1] < 0) expect(await client.command(name, "own:x", "other")).toEqual(refused);
    }
    expect(await client.command("INFO", "other")).toEqual(refused);
    expect(await client.info("own:x")).toMatchObject({ name: "own:x" });
    expect(await client.command("MGET", "own:x", "shared")).toEqual(["0", "0"]);
    expect(await all.command("MGET", "other", "own:x", "shared")).toEqual(["0", "1", "1"]);
    for (const each of [all, client]) each.close();
  });

  test("is answered alike whether or not there is such a dispenser, in every command", async () => {
    const client = await connectAs(port, "own");
    const isThere = await client.command("EXISTS", "other");
    for (const { name, arity, keys } of runnable) {
      const words = Array<string>(Math.max(0, Math.abs(arity) - 2)).fill("1");
      if (keys[0] === 0 && name !== "info") continue;
      const [there, missing] = [
        ["other", ...words],
        ["nobody", ...words],
      ];
      const answers = [
        await client.command(name, ...there),
        await client.command(name, ...missing),
      ];
      expect([name, ...answers]).toEqual([name, refused, refused]);
    }
    expect(isThere).toEqual(refused);
    client.close();
  });

  test("of which a section of INFO is one is no secret told: the section is shown", async () => {
    const all = await connectAs(port, "all");
    const client = await connectAs(port, "own");
    const before = await client.command("INFO", "replication");
    expect(await all.command("HSET", "replication", "type", "3")).toBe(1);
    expect(await client.command("INFO", "replication")).toBe(before);
    expect(String(await all.command("INFO", "dispenser", "replication"))).toStartWith("name:repl");
    expect(await client.command("INFO", "dispenser", "replication")).toEqual(refused);
    expect(await client.command("INFO", "dispenser", "nobody")).toEqual(refused);
    expect(await all.command("DEL", "replication")).toBe(1);
    for (const each of [all, client]) each.close();
  });

  test("hides how many others there are from DBSIZE and INFO", async () => {
    const all = await connectAs(port, "all");
    const client = await connectAs(port, "own");
    expect(await all.command("DBSIZE")).toBe(3);
    expect(await client.command("DBSIZE")).toBe(2);
    const [, , inside] = await client.pipeline([["MULTI"], ["DBSIZE"], ["EXEC"]]);
    expect(messageOf((inside as Reply[])[0]!)).toStartWith(
      "NOPERM User 'own' may not run 'dbsize'",
    );
    expect(String(await client.command("INFO"))).not.toMatch(/^(dispensers|db0):/m);
    expect(String(await all.command("INFO"))).toMatch(/^dispensers:3\r\n/m);
    for (const each of [all, client]) each.close();
  });

  test("hides the other names from KEYS and SCAN", async () => {
    const client = await connectAs(port, "own");
    expect(await client.command("KEYS", "*")).toEqual(["own:x", "shared"]);
    expect(await client.command("SCAN", "0")).toEqual(["0", ["own:x", "shared"]]);
    client.close();
  });

  test("hides how many others there are from the cursors and pages of SCAN", async () => {
    const all = await connectAs(port, "all");
    const client = await connectAs(port, "own");
    const others = Array.from({ length: 50 }, (_, index) => `others:${index}`);
    for (const name of others) await all.command("HSET", name, "type", "3");
    expect(await all.command("HSET", "own:last", "type", "3")).toBe(1);
    const pages: Reply[] = [];
    const cursors: string[] = [];
    let cursor = "0";
    do {
      const [next, page] = (await client.command("SCAN", cursor, "COUNT", "1")) as [string, Reply];
      cursor = next;
      cursors.push(next);
      pages.push(page);
    } while (cursor !== "0");
    // A page also ends where its time is over, with no name: on a busy machine there are a few such.
    expect(pages.flat()).toEqual(["own:x", "shared", "own:last"]);
    expect(pages.length).toBeLessThan(others.length / 5);
    expect(cursors.slice(0, -1).every((each) => Number(each) > 1e6)).toBe(true);
    expect(messageOf(await client.command("SCAN", "17"))).toStartWith("ERR invalid cursor: ");
    await all.command("DEL", "own:last", ...others);
    for (const each of [all, client]) each.close();
  });

  test("and rights hold between MULTI and EXEC: what is refused spoils it", async () => {
    const client = await connectAs(port, "own");
    expect(await client.command("MULTI")).toBe("OK");
    expect(await client.command("GET", "own:x")).toBe("QUEUED");
    expect(await client.command("GET", "other")).toEqual(refused);
    expect(messageOf(await client.command("EXEC"))).toStartWith("EXECABORT");
    await client.pipeline([["MULTI"], ["CLIENT", "LIST"], ["DISCARD"]]);
    const replies = await client.pipeline([["MULTI"], ["INFO", "other"], ["EXEC"]]);
    expect(replies.slice(0, 2)).toEqual(["OK", refused]);
    expect(messageOf(replies[2]!)).toStartWith("EXECABORT");
    expect(await client.command("GET", "own:x")).toBe("2");
    client.close();
  });
});

describe("rights at EXEC", () => {
  const { port } = start({
    users: [
      user("taker", ["take"]),
      user("maker", ["create"]),
      user("manager", ["create", "manage"]),
    ],
  });
  const needs = (who: string, what: string, right: Right) =>
    error(`NOPERM User '${who}' may not run '${what}': that needs the right '${right}'`);

  test("are those of who it is then, as well as of who queued it", async () => {
    const client = await connectAs(port, "maker");
    expect(await client.command("HSET", "x", "type", "3")).toBe(1);
    const queued = await client.pipeline([
      ["MULTI"],
      ["HSET", "y", "type", "3"],
      ["AUTH", "taker", SECRET],
      ["HSET", "z", "type", "3"],
      ["INFO", "z"],
      ["EXEC"],
    ]);
    expect(queued.slice(0, 4)).toEqual(["OK", "QUEUED", "QUEUED", "QUEUED"]);
    // The maker may not look at it either: that spoils the whole.
    expect(queued[4]).toEqual(needs("maker", "info", "inspect"));
    expect(messageOf(queued[5]!)).toStartWith("EXECABORT");
    const [, , , , results] = await client.pipeline([
      ["MULTI"],
      ["HSET", "y", "type", "3"],
      ["AUTH", "taker", SECRET],
      ["HSET", "z", "type", "3"],
      ["EXEC"],
    ]);
    expect(results).toEqual([1, "OK", needs("taker", "hset", "create")]);
    expect(await client.command("GET", "y")).toBe("0");
    client.close();
  });

  test("hold for the word reuse, whoever queued it", async () => {
    const maker = await connectAs(port, "maker");
    const reuse = ["HSET", "x", "auto_disk", "memory", "reuse", "yes"];
    const refused = needs("maker", "hset ... reuse yes", "manage");
    expect(await maker.command(...reuse)).toEqual(refused);
    expect(await maker.command("HSET", "x", "reuse", "no", "step", "1")).toBe(0);
    const spoiled = await maker.pipeline([["MULTI"], ["AUTH", "manager", SECRET], reuse, ["EXEC"]]);
    expect(spoiled[2]).toEqual(refused);
    const manager = await connectAs(port, "manager");
    const [, , , answers] = await manager.pipeline([
      ["MULTI"],
      ["AUTH", "maker", SECRET],
      reuse,
      ["EXEC"],
    ]);
    expect(answers).toEqual(["OK", refused]);
    for (const each of [maker, manager]) each.close();
  });
});

test("CLIENT KILL USER ends the connections of one user", async () => {
  const { port } = start({ users: [user("boss", ["admin"]), user("guest", ["take"])] });
  const boss = await connectAs(port, "boss");
  const guests = await Promise.all([connectAs(port, "guest"), connectAs(port, "guest")]);
  expect(await boss.command("CLIENT", "LIST")).toContain("user=guest");
  expect(await boss.command("CLIENT", "KILL", "USER", "guest")).toBe(2);
  await Promise.all(guests.map(({ closed }) => closed));
  const unknown = await boss.command("CLIENT", "KILL", "USER", "nobody");
  expect(unknown).toEqual(error("ERR No such user 'nobody'"));
  boss.close();
});
