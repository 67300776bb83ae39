import { afterAll, describe, expect, setSystemTime, test } from "bun:test";
import { version } from "../../../../src/base/version.ts";
import { whyNotReady } from "../../../../src/server/readiness.ts";
import { type Reply, ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { startInMemory } from "../../../support/server.ts";

const server = startInMemory();
const HIDDEN = "warning this dispenser has the name of a section: INFO dispenser NAME shows it";
const client = await TestClient.connect(server.port);

afterAll(async () => {
  client.close();
  await server.server.stop();
});

type Page = [cursor: string, names: string[]];
const run = (line: string) => client.command(...line.split(" "));
const error = (text: string) => new ReplyError(text);

/** One command after the other, each with its reply. */
function session(title: string, lines: [string, Reply][]): void {
  test(title, async () => {
    for (const [line, reply] of lines) expect([line, await run(line)]).toEqual([line, reply]);
  });
}

describe("HSET", () => {
  session("counts the fields set first, and changes nothing the second time", [
    ["HSET a1 type 3", 1],
    ["hset a2 TYPE 3 Starting 5 STEP 2 auto_disk pre_close", 4],
    ["HSET a3 type 3 step 5 step 7", 2],
    ["HGET a3 step", "7"],
    ["HSET a2 type 3", 0],
    ["HSET a2 step 2 auto_disk pre_close", 0],
    ["HSET a2 auto_disk memory", 0],
    ["HGET a2 auto_disk", "memory"],
    [
      "HSET a2 step 3",
      error("ERR cannot change 'step' of 'a2': its numbers are in use. Define another name"),
    ],
    [
      "HSET a2 step 3 auto_disk pre-base",
      error("ERR cannot change 'step' of 'a2': its numbers are in use. Define another name"),
    ],
    ["HGET a2 auto_disk", "memory"],
    ["HMSET a4 type 1 length 3", "OK"],
  ]);

  session("refuses, and a refused command changes nothing", [
    ["HSET b1", error("ERR wrong number of arguments for 'hset' command")],
    ["HSET b1 type", error("ERR wrong number of arguments for 'hset' command")],
    ["HSET b1 type 3 step", error("ERR wrong number of arguments for 'hset' command")],
    ["HMSET b1 type 3 step", error("ERR wrong number of arguments for 'hmset' command")],
    ["HSET b1 step 3", error("ERR type field is required")],
    ["HSET b1 type 3 colour red", error("ERR unknown field 'colour'")],
    ["EXISTS b1", 0],
  ]);

  session("takes types and strategies in any spelling, and shows the one there is", [
    ["HSET a5 type Increment auto_disk PRE_BASE", 2],
    ["HGETALL a5", ["type", "3", "starting", "0", "step", "1", "auto_disk", "pre-base"]],
    ["HSET a5 TYPE INCREMENT AUTO_DISK pre-Base", 0],
    ["HSET a6 type fixed length 2", 2],
    ["HSET a7 type random length 2", 2],
    ["HGET a7 type", "1"],
    [
      "HSET a8 type rnd",
      error(
        "ERR invalid type 'rnd': must be one of 1 (random), 2 (fixed), 3 (increment), 4 (code)",
      ),
    ],
  ]);

  session("lets a length of type 2 grow, and shrinks none", [
    ["HSET a9 type 2 length 1 starting 8", 3],
    ["MGET a9 a9", ["8", "9"]],
    ["GET a9", error("ERR number range exhausted: 'a9'")],
    ["HSET a9 length 3", 0],
    ["GET a9", "010"],
    [
      "HSET a9 length 2",
      error("ERR cannot change 'length' of 'a9': its numbers are in use. Define another name"),
    ],
    ["HGET a9 length", "3"],
    [
      "HSET a7 length 3",
      error("ERR cannot change 'length' of 'a7': its numbers are in use. Define another name"),
    ],
  ]);

  session("lets a line that is in use become memory only with reuse yes, which it does not count", [
    ["HSET a10 type 3 reuse no", 1],
    ["HSET a10 auto_disk memory auto_disk elegant_close", 0],
    ["GET a10", "0"],
    [
      "HSET a10 auto_disk memory",
      error(
        "ERR cannot change 'auto_disk' of 'a10' to memory: its numbers are in use, and a line in memory repeats " +
          "numbers after each start. Define another name, or say reuse yes",
      ),
    ],
    ["HGET a10 auto_disk", "elegant_close"],
    ["HSET a10 auto_disk memory REUSE Yes", 0],
    ["HGET a10 reuse", null],
    ["GET a10", "1"],
    ["HSET a10 reuse yes", 0],
    ["GET a10", "2"],
    ["HSET a10 reuse maybe", error("ERR invalid reuse 'maybe': must be yes or no")],
  ]);

  test("refuses names that are none", async () => {
    for (const name of ["", "a b", "a\nb", "\xff", "x".repeat(256)]) {
      const shown = name.length > 255 ? `${name.slice(0, 255)}...` : name.replace("\n", " ");
      expect(await client.command("HSET", name, "type", "3")).toEqual(
        error(
          "ERR invalid dispenser name: a name is 1 to 255 bytes of UTF-8 without control characters and white space, " +
            `not '${shown}'`,
        ),
      );
    }
  });
});

describe("GET", () => {
  session("counts on the line", [
    ["HSET c1 type 2 length 3 starting 8", 3],
    ["GET c1", "008"],
    ["get c1", "009"],
    ["GET c1", "010"],
    ["GET nobody", error("ERR dispenser not found: 'nobody'")],
    ["GET", error("ERR wrong number of arguments for 'get' command")],
    ["GET c1 c1", error("ERR wrong number of arguments for 'get' command")],
  ]);

  session("ends at the end of the line", [
    ["HSET c2 type 3 starting 9223372036854775806", 2],
    ["GET c2", "9223372036854775806"],
    ["GET c2", "9223372036854775807"],
    ["GET c2", error("ERR number range exhausted: 'c2'")],
    ["GET c2", error("ERR number range exhausted: 'c2'")],
    ["HSET c3 type 2 length 1 starting 8 step 9", 4],
    ["GET c3", "8"],
    ["GET c3", error("ERR number range exhausted: 'c3'")],
  ]);

  test("of type 1 is random digits", async () => {
    await run("HSET c4 type 1 length 18");
    const numbers = await client.pipeline(Array.from({ length: 50 }, () => ["GET", "c4"]));
    expect(new Set(numbers).size).toBe(50);
    for (const number of numbers) expect(number).toMatch(/^[1-9]\d{17}$/);
  });
});

describe("MGET", () => {
  session("takes one of each, or nothing", [
    ["HSET d1 type 3", 1],
    ["HSET d2 type 2 length 1 starting 8", 3],
    ["MGET d1 d2 d1", ["0", "8", "1"]],
    ["MGET d1 nobody", error("ERR dispenser not found: 'nobody'")],
    ["MGET d1 d2 d2", error("ERR number range exhausted: 'd2'")],
    ["GET d1", "2"],
    ["GET d2", "9"],
  ]);
});

describe("DEL", () => {
  const deletedAt = (name: string, at: number) =>
    error(
      `ERR '${name}' was deleted at ${at}: its numbers may be in use. Give starting ${at}, or say reuse yes`,
    );

  session("deletes, and the name is free for a line that keeps clear of its numbers", [
    ["HSET e1 type 3", 1],
    ["HSET e2 type 3", 1],
    ["GET e1", "0"],
    ["DEL e1 e2 e1 nobody", 2],
    ["GET e1", error("ERR dispenser not found: 'e1'")],
    ["HSET e1 type 3 starting 7", 2],
    ["GET e1", "7"],
  ]);

  session("is soft: the same definition goes on where it stood, another may not meet it", [
    ["HSET e3 type 3 starting 1000", 2],
    ["MGET e3 e3", ["1000", "1001"]],
    ["DEL e3", 1],
    ["EXISTS e3", 0],
    ["HSET e3 type 2 length 6", deletedAt("e3", 1002)],
    ["HSET e3 type 3 starting 1000 auto_disk memory", deletedAt("e3", 1002)],
    ["HSET e3 type increment starting 1000 step 1 auto_disk pre-close", 4],
    ["GET e3", "1002"],
    ["DEL e3", 1],
    ["HSET e3 type 3 starting 1003", 2],
    ["GET e3", "1003"],
    ["DEL e3", 1],
    ["HSET e3 type 3 starting 1000", deletedAt("e3", 1004)],
    ["HSET e3 type 3 starting 1000 reuse yes", 2],
    ["GET e3", "1000"],
  ]);

  test("and HSET in one transaction, or one after the other unread, go on, too", async () => {
    await run("HSET e4 type 3");
    const replies = await client.pipeline([
      ["GET", "e4"],
      ["DEL", "e4"],
      ["HSET", "e4", "type", "3"],
      ["GET", "e4"],
      ["MULTI"],
      ["DEL", "e4"],
      ["HSET", "e4", "type", "3"],
      ["GET", "e4"],
      ["EXEC"],
    ]);
    expect(replies.slice(0, 4)).toEqual(["0", 1, 1, "1"]);
    expect(replies.at(-1)).toEqual([1, 1, "2"]);
  });
});

describe("ADVANCE", () => {
  session("goes on further up", [
    ["HSET f1 type 2 length 4 step 5", 3],
    ["ADVANCE f1 101", "0105"],
    ["ADVANCE f1 3", "0105"],
    ["GET f1", "0105"],
    [
      "ADVANCE f1 x",
      error("ERR invalid number 'x': must be a whole number from 0 to 9223372036854775807"),
    ],
    ["ADVANCE nobody 3", error("ERR dispenser not found: 'nobody'")],
    [
      "ADVANCE f1 9996",
      error("ERR number range exhausted: 'f1' has no number from 9996 on, and stays where it is"),
    ],
    ["GET f1", "0110"],
    [
      "ADVANCE f1 200 really",
      error("ERR syntax error: ADVANCE takes a name, a number, and maybe FORCE"),
    ],
    [
      "ADVANCE f1 200 force force",
      error("ERR syntax error: ADVANCE takes a name, a number, and maybe FORCE"),
    ],
  ]);

  session("goes very far only where FORCE says so: a million numbers, and a tenth of those left", [
    ["HSET f2 type 2 length 8", 2],
    ["ADVANCE f2 1000000", "01000000"],
    ["ADVANCE f2 10900000", "10900000"],
    [
      "ADVANCE f2 19810001",
      error(
        "ERR ADVANCE of 'f2' to 19810001 would skip 8910001 numbers of the 89100000 that remain, for good: " +
          "add FORCE where that is meant",
      ),
    ],
    ["GET f2", "10900000"],
    ["ADVANCE f2 19810000", "19810000"],
    ["ADVANCE f2 99999999 FORCE", "99999999"],
    ["HSET f3 type 2 length 6", 2],
    ["ADVANCE f3 999999", "999999"],
  ]);

  session("goes past 2^53 only where FORCE says so", [
    ["HSET f4 type 3 starting 9007199254740000", 2],
    ["ADVANCE f4 9007199254740992", "9007199254740992"],
    [
      "ADVANCE f4 9007199254740993",
      error(
        "ERR ADVANCE of 'f4' to 9007199254740993 would go past 2^53 = 9007199254740992, above which many clients " +
          "lose digits: add FORCE where that is meant",
      ),
    ],
    ["ADVANCE f4 9007199254740993 Force", "9007199254740993"],
    ["ADVANCE f4 9007199254750000", "9007199254750000"],
    ["ADVANCE f4 3", "9007199254750000"],
  ]);
});

describe("INFO", () => {
  test("of a dispenser has its lines in order, each ended by CRLF", async () => {
    await run("HSET g1 type 3 starting 100 step 10 auto_disk pre_close");
    await run("GET g1");
    await run("ADVANCE g1 135");
    expect(await run("INFO g1")).toBe(
      "name:g1\r\ntype:3\r\nlength:0\r\nstarting:100\r\nstep:10\r\ncurrent:140\r\n" +
        "auto_disk:pre_close\r\ngenerated:1\r\nwasted:3\r\nwaste_rate:75.00%\r\n" +
        "next:140\r\nlast:9223372036854775800\r\nremaining:922337203685477567\r\n" +
        "used_percent:0.00\r\nexhausted:0\r\nskipped_by_operator:3\r\n",
    );
  });

  test("tells how much is left, up to the end of the line", async () => {
    await run("HSET g5 type 2 length 2 starting 93");
    const figures = async () => {
      const { next, last, remaining, used_percent, exhausted } = await client.info("g5");
      return [next, last, remaining, used_percent, exhausted].join(" ");
    };
    expect(await figures()).toBe("93 99 7 0.00 0");
    await run("GET g5");
    expect(await figures()).toBe("94 99 6 14.28 0");
    for (let taken = 1; taken < 6; taken++) await run("GET g5");
    expect(await figures()).toBe("99 99 1 85.71 0");
    await run("GET g5");
    expect(await figures()).toBe(" 99 0 100.00 1");
    await run("HSET g5 length 3");
    expect(await figures()).toBe("100 999 900 0.77 0");
  });

  test("of a random one has 0 where a field does not apply", async () => {
    await run("HSET g2 type 1 length 6");
    await run("GET g2");
    expect(await client.info("g2")).toEqual({
      name: "g2",
      type: "1",
      length: "6",
      starting: "0",
      step: "0",
      current: "0",
      auto_disk: "elegant_close",
      generated: "1",
      wasted: "0",
      waste_rate: "0.00%",
      next: "",
      last: "",
      remaining: "0",
      used_percent: "0.00",
      exhausted: "0",
      skipped_by_operator: "0",
    });
  });

  test("of the server has the sections clients expect", async () => {
    const titles = (text: Reply) =>
      [...(text as string).matchAll(/^# (\w+)/gm)].map(([, title]) => title);
    const all = [
      "Server",
      "Clients",
      "Memory",
      "Persistence",
      "Stats",
      "CPU",
      "Replication",
      "Dispensers",
      "Cluster",
      "Keyspace",
      "Errorstats",
    ];
    expect(titles(await run("INFO"))).toEqual(all);
    const everything = all.toSpliced(-1, 0, "Commandstats");
    expect(titles(await run("INFO all"))).toEqual(everything);
    expect(titles(await run("INFO replication STATS nonsense"))).toEqual(["Stats", "Replication"]);
    expect(await run("INFO persistence")).toContain("loading:0\r\n");
    expect(await run("INFO replication")).toContain("role:master\r\n");
    expect(await run("INFO nonsense")).toEqual(error("ERR dispenser not found: 'nonsense'"));
  });

  test("of a word that is a section's shows the section; INFO dispenser shows any dispenser", async () => {
    for (const name of ["server", "ALL", "modules", "dispenser"]) {
      expect(await run(`HSET ${name} type 3`)).toBe(1);
      const warned = server.logged.some((line) => line === `${HIDDEN} dispenser=${name}`);
      expect([name, warned]).toEqual([name, name !== "dispenser"]);
      expect(await run(`INFO Dispenser ${name}`)).toContain(`name:${name}\r\n`);
    }
    expect(await run("INFO server")).toStartWith("# Server\r\n");
    expect(await run("INFO all")).toStartWith("# Server\r\n");
    expect(await run("INFO modules")).toBe("");
    expect(await run("INFO dispenser")).toContain("name:dispenser\r\n");
    expect(await run("INFO dispenser nobody")).toEqual(error("ERR dispenser not found: 'nobody'"));
    await run("DEL server ALL modules dispenser");
    expect(await run("INFO dispenser server")).toEqual(error("ERR dispenser not found: 'server'"));
  });
});

describe("names", () => {
  test("are listed, counted and paged", async () => {
    await client.command("DEL", ...((await run("KEYS *")) as string[]));
    for (let index = 0; index < 25; index++) await run(`HSET key:${index} type 3`);
    expect(await run("DBSIZE")).toBe(25);
    expect(((await run("KEYS key:1?")) as string[]).length).toBe(10);
    const seen: string[] = [];
    let cursor = "0";
    do {
      const [next, names] = (await run(`SCAN ${cursor} COUNT 7`)) as [string, string[]];
      seen.push(...names);
      cursor = next;
      if (seen.length === 7) await run("DEL key:3");
    } while (cursor !== "0");
    expect(seen.length).toBe(25);
    // A page ends after a millisecond, whatever the machine does in it.
    const found: string[] = [];
    do {
      const [next, names] = (await run(`SCAN ${cursor} MATCH key:2? COUNT 100`)) as Page;
      found.push(...names);
      cursor = next;
    } while (cursor !== "0");
    expect(found).toEqual(["key:20", "key:21", "key:22", "key:23", "key:24"]);
    expect(await run("SCAN 0 TYPE string")).toEqual([expect.stringMatching(/^\d+$/), []]);
  });

  session("exist or do not", [
    ["HSET h1 type 3 step 2", 2],
    ["EXISTS h1 h1 nobody", 2],
    ["TYPE h1", "dispenser"],
    ["TYPE nobody", "none"],
    ["HGET h1 STEP", "2"],
    ["HGET h1 length", null],
    ["HGET nobody step", null],
    ["HGETALL h1", ["type", "3", "starting", "0", "step", "2", "auto_disk", "elegant_close"]],
    ["HGETALL nobody", []],
    ["SCAN x", error("ERR invalid cursor")],
    ["SCAN 0 COUNT", error("ERR syntax error")],
    ["SCAN 0 COUNT 0", error("ERR syntax error")],
    ["SCAN 0 COUNT x", error("ERR value is not an integer or out of range")],
    ["SCAN 0 SORT x", error("ERR syntax error")],
  ]);
});

describe("the connection", () => {
  session("answers as Redis does", [
    ["PING", "PONG"],
    ["ping hello", "hello"],
    ["PING a b", error("ERR wrong number of arguments for 'ping' command")],
    ["ECHO hello", "hello"],
    ["SELECT 0", "OK"],
    ["SELECT 1", error("ERR DB index is out of range")],
    ["SELECT x", error("ERR value is not an integer or out of range")],
    ["CLIENT SETNAME me", "OK"],
    ["CLIENT GETNAME", "me"],
    ["CLIENT SETINFO LIB-NAME tests", "OK"],
    ["CLIENT SETINFO LIB-COLOUR red", error("ERR Unrecognized option 'LIB-COLOUR'")],
    ["CLIENT NO-EVICT on", "OK"],
    ["CLIENT NO-TOUCH maybe", error("ERR syntax error")],
    ["CLIENT SETNAME", error("ERR wrong number of arguments for 'client|setname' command")],
    [
      "CLIENT MAINT_NOTIFICATIONS ON",
      error("ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP."),
    ],
    ["CLIENT constructor", error("ERR unknown subcommand 'constructor'. Try CLIENT HELP.")],
    ["CLIENT TRACKING OFF", "OK"],
    [
      "AUTH secret",
      error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
      ),
    ],
    ["AUTH default secret", "OK"],
    [
      "AUTH somebody secret",
      error("WRONGPASS invalid username-password pair or user is disabled."),
    ],
    ["HELLO 4", error("NOPROTO unsupported protocol version")],
    ["HELLO x", error("ERR Protocol version is not an integer or out of range")],
    ["HELLO 3 SETNAME", error("ERR Syntax error in HELLO option 'SETNAME'")],
    ["RESET", "RESET"],
    ["CLIENT GETNAME", null],
  ]);

  test("refuses caching, by which a client would repeat a number", async () => {
    for (const line of ["CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST", "CLIENT CACHING YES"]) {
      expect(((await run(line)) as ReplyError).message).toContain("would repeat its number");
    }
  });

  test("names an unknown command and its arguments, on one line", async () => {
    expect(await client.command("FOO\r\n+OK", "a\r\nb", "c")).toEqual(
      error("ERR unknown command 'FOO  +OK', with args beginning with: 'a  b' 'c' "),
    );
    expect(await run("PING")).toBe("PONG");
  });

  test("speaks RESP3 after HELLO 3", async () => {
    const other = await TestClient.connect(server.port);
    const hello = (await other.command(
      "HELLO",
      "3",
      "AUTH",
      "default",
      "x",
      "SETNAME",
      "me",
    )) as Map<Reply, Reply>;
    expect(hello.get("proto")).toBe(3);
    expect(hello.get("role")).toBe("master");
    expect(await other.command("CLIENT", "GETNAME")).toBe("me");
    await other.command("HSET", "i1", "type", "1", "length", "2");
    expect(await other.command("HGETALL", "i1")).toEqual(
      new Map([
        ["type", "1"],
        ["length", "2"],
        ["auto_disk", "elegant_close"],
      ]),
    );
    expect(await other.command("HGET", "i1", "step")).toBeNull();
    expect(await other.command("INFO", "i1")).toStartWith("name:i1\r\n");
    expect(await other.command("CLIENT", "LIST")).toContain("name=me");
    expect(await other.command("CLIENT", "INFO")).toContain("resp=3");
    other.close();
  });

  test("ends with QUIT", async () => {
    const other = await TestClient.connect(server.port);
    expect(await other.command("QUIT")).toBe("OK");
    await other.closed;
  });
});

describe("the server", () => {
  session("is ready, and says so in one word", [
    ["READY", "READY"],
    ["ready", "READY"],
    ["READY now", error("ERR wrong number of arguments for 'ready' command")],
  ]);

  test("tells of no trouble of its disk where it is asked whether it is ready", async () => {
    const { port, store, server: other } = startInMemory();
    const asker = await TestClient.connect(port);
    store.lasting = "unavailable";
    expect((await asker.command("HSET", "x", "type", "3")) as Error).toBeInstanceOf(ReplyError);
    expect(other.storageTrouble).toBeDefined();
    expect(await asker.command("READY")).toBe("READY");
    store.lasting = undefined;
    asker.close();
    await other.stop();
    expect(whyNotReady(other, other.engine)).toBe("the server is stopping");
    const starting = { isStarting: true, isStopping: false, catalog: other.catalog };
    expect(whyNotReady(starting, other.engine)).toBe("the server is starting");
  });

  test("says what time it is", async () => {
    const [seconds, microseconds] = (await run("TIME")) as [string, string];
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(2);
    expect(Number(microseconds)).toBeLessThan(1_000_000);
  });

  test("says what time it is once somebody has set the clock", async () => {
    setSystemTime(new Date("2030-06-01T12:00:00Z"));
    const [seconds] = (await run("TIME")) as [string, string];
    setSystemTime();
    expect(Math.abs(Number(seconds) - Date.parse("2030-06-01T12:00:00Z") / 1000)).toBeLessThan(2);
    const [after] = (await run("TIME")) as [string, string];
    expect(Math.abs(Number(after) - Date.now() / 1000)).toBeLessThan(2);
  });

  test("names one version to clients, in HELLO and in INFO, and its own beside it", async () => {
    const hello = (await run("HELLO")) as string[];
    const fields = await client.info("server");
    expect(hello.slice(0, 4)).toEqual(["server", "number-dispenser", "version", "7.0.0"]);
    expect(fields).toMatchObject({
      redis_version: "7.0.0",
      server_name: "number-dispenser",
      number_dispenser_version: version,
    });
  });

  test("describes its commands: GET is a write", async () => {
    const count = (await run("COMMAND COUNT")) as number;
    expect(((await run("COMMAND LIST")) as Reply[]).length).toBe(count);
    expect(((await run("COMMAND")) as Reply[]).length).toBe(count);
    const [get, nothing] = (await run("COMMAND INFO get nothing")) as [Reply[], Reply];
    expect(get.slice(0, 6)).toEqual(["get", 2, ["write", "fast"], 1, 1, 1]);
    expect(nothing).toBeNull();
    const docs = (await run("COMMAND DOCS GET")) as Reply[];
    expect(docs).toEqual([
      "get",
      [
        ...["summary", "Takes the next number of a dispenser"],
        ...["since", "0.1.0", "group", "dispenser"],
      ],
    ]);
    expect(((await run("COMMAND DOCS")) as Reply[]).length).toBe(2 * count);
    expect((await run("COMMAND HELP")) as Reply[]).toContain("DOCS");
    expect(await run("COMMAND COUNT x")).toEqual(
      error("ERR wrong number of arguments for 'command|count' command"),
    );
    expect(await run("COMMAND LIST FILTERBY PATTERN mg*")).toEqual(["mget"]);
    expect(((await run("COMMAND LIST FILTERBY PATTERN")) as ReplyError).message).toStartWith(
      "ERR syntax error",
    );
    expect(await run("COMMAND NONSENSE")).toEqual(
      error("ERR unknown subcommand 'NONSENSE'. Try COMMAND HELP."),
    );
  });

  test("shows settings as redis-benchmark asks for them", async () => {
    expect(await run("CONFIG GET save")).toEqual(["save", ""]);
    expect(await run("CONFIG GET append* port")).toEqual([
      "appendonly",
      "no",
      "port",
      String(server.port),
    ]);
    expect(await run("CONFIG GET")).toEqual(
      error("ERR wrong number of arguments for 'config|get' command"),
    );
    expect(await run("CONFIG SET save x")).toEqual(
      error(
        "ERR CONFIG SET failed (possibly related to argument 'save') - can't set immutable config",
      ),
    );
    expect((await run("CONFIG HELP")) as Reply[]).toContain("GET");
    expect((await run("CLIENT HELP")) as Reply[]).toContain("SETNAME");
    expect(await run("CONFIG NONSENSE")).toEqual(
      error("ERR unknown subcommand 'NONSENSE'. Try CONFIG HELP."),
    );
  });

  test("stops when SHUTDOWN asks it to, and refuses to lose positions", async () => {
    expect(((await run("SHUTDOWN NOSAVE")) as ReplyError).message).toContain(
      "positions are always saved",
    );
    client.send("SHUTDOWN\r\n");
    expect(await run("PING")).toBe("PONG");
    expect(server.shutdowns).toEqual([expect.stringMatching(/^SHUTDOWN from 127\.0\.0\.1:\d+$/)]);
  });
});
