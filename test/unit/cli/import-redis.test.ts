/** import -redis, from a real redis-server: what it takes, what it leaves out, what can be the matter. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { importDispensers } from "../../../src/cli/import.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { noCertificates } from "../../support/certificates.ts";
import { impostor } from "../../support/impostor.ts";
import { noRedis } from "../../support/installed.ts";
import { messageOf } from "../../support/message-of.ts";
import { RedisServer } from "../../support/redis-server.ts";
import { taken } from "../../support/taken.ts";

const run = (flags: Record<string, string>, dataDir = temporaryFolder()) =>
  importDispensers(undefined, new Map(Object.entries(flags)), {
    ...{ create: true, allowNetworkFileSystem: false },
    dataDir,
  });

describe.skipIf((noRedis ?? noCertificates) !== undefined)("import -redis", () => {
  let redis: RedisServer;
  let url: string;
  const binary = Buffer.from([0xff, 0x00, 0x5c, 0x61]).toString("latin1");

  beforeAll(async () => {
    redis = new RedisServer();
    url = `redis://127.0.0.1:${redis.port}`;
    await redis.run(
      ["SET", "good:orders", "50"],
      ["SET", "good:users", "9223372036854775807"],
      ["SET", "good:almost", "9223372036854775806"],
      ["SET", "good:minus", "-1"],
      ["SET", Buffer.from("good:ünï").toString("latin1"), "7"],
      ["SET", "bad:minus", "-2"],
      ["SET", "bad:past", "9223372036854775808"],
      ["SET", "bad:below", "-9223372036854775809"],
      ["SET", "bad:signed", "+5"],
      ["SET", "bad:zeros", "007"],
      ["SET", "bad:float", "1.5"],
      ["SET", "bad:text", "my secret session"],
      ["SET", "bad:huge", "9".repeat(100_000)],
      ["SET", "bad:empty", ""],
      ["HSET", "bad:hash", "a", "1"],
      ["LPUSH", "bad:list", "1"],
      ["SADD", "bad:set", "1"],
      ["ZADD", "bad:zset", "1", "a"],
      ["XADD", "bad:stream", "*", "a", "1"],
      ["SET", "bad:two words", "1"],
      ["SET", `bad:${binary}`, "1"],
      ["SET", `bad:${"x".repeat(300)}`, "1"],
      ["SET", "bad:", "1"],
      ["ACL", "SETUSER", "reader", "on", ">right", "+select", "+scan", "+getrange", "+type", "~*"],
      [...["ACL", "SETUSER", "half", "on", ">right"], "+@read", "+select", "~good:*"],
      ["ACL", "SETUSER", "nobody", "on", ">right", "+ping", "+select", "~*"],
      ["ACL", "SETUSER", "scanner", "on", ">right", "+select", "+scan", "~*"],
    );
  });
  afterAll(() => redis.stop());

  const bad: [string, RegExp][] = [
    ["bad:minus", /^its next number is -1, and there are none below 0 here$/],
    ["bad:past", /^its value does not fit into 64 bits$/],
    ["bad:below", /^its value does not fit into 64 bits$/],
    ["bad:signed", /^its value begins with '\+', which INCR refuses$/],
    ["bad:zeros", /^its value begins with 0, which INCR refuses$/],
    ["bad:float", /^its value is no whole number$/],
    ["bad:text", /^its value is no whole number$/],
    ["bad:huge", /^its value does not fit into 64 bits$/],
    ["bad:empty", /^its value is empty$/],
    ["bad:hash", /^its type is hash, not a counter$/],
    ["bad:list", /^its type is list, not a counter$/],
    ["bad:set", /^its type is set, not a counter$/],
    ["bad:zset", /^its type is zset, not a counter$/],
    ["bad:stream", /^its type is stream, not a counter$/],
    ["bad:two words", /^it cannot be a name here: a name is 1 to 255 bytes of UTF-8 without/],
    ["bad:\\xff\\x00\\\\a", /^it cannot be a name here: /],
    [`bad:${"x".repeat(300)}`, /^it cannot be a name here: /],
  ];

  test("with -skip imports what can be, and names each other key with the reason", async () => {
    const dataDir = temporaryFolder();
    const said = await run({ redis: url, margin: "0", skip: "", json: "" }, dataDir);
    const { imported, left_out: leftOut } = JSON.parse(said.text);
    expect(said.isWell).toBe(true);
    expect(imported.map(({ name }: { name: string }) => name).sort()).toEqual(
      ["bad:", "good:almost", "good:minus", "good:orders", "good:users", "good:ünï"].sort(),
    );
    const reasons = new Map<string, string>(
      leftOut.map(({ name, reason }: { name: string; reason: string }) => [name, reason]),
    );
    for (const [name, reason] of bad) {
      expect([name, reasons.get(name)]).toEqual([name, expect.stringMatching(reason)]);
    }
    expect(reasons.size).toBe(bad.length);
    expect(said.text).not.toContain("secret session");
    const names = ["good:orders", "good:almost", "good:minus", "good:users"];
    const [orders, almost, minus, users] = await taken(dataDir, ...names);
    expect([orders, almost, minus]).toEqual(["51", "9223372036854775807", "0"]);
    expect(users).toContain("number range exhausted");
  });

  test("without it one bad key imports nothing, and is named; JSON has all of them", async () => {
    const dataDir = temporaryFolder();
    expect(await messageOf(run({ redis: url, match: "*s*" }, dataDir))).toMatch(
      /^CannotStart: nothing was imported, because \d+ of \d+ cannot be \(-skip imports the others\): .*'bad:signed': its value begins/,
    );
    const said = await run({ redis: url, json: "" }, dataDir);
    expect(said.isWell).toBe(false);
    const { imported, left_out: leftOut } = JSON.parse(said.text);
    expect([imported, leftOut.length]).toEqual([[], bad.length]);
    expect(await taken(dataDir, "good:orders")).toEqual([
      "ReplyError: ERR dispenser not found: 'good:orders'",
    ]);
  });

  test("moves lines ahead, of those that fit a pattern, with a strategy", async () => {
    const flags = { redis: url, match: "good:[ou]*", margin: "10", strategy: "pre_close" };
    const dataDir = temporaryFolder();
    const { text } = await run(flags, dataDir);
    expect(text).toContain("imported 2 dispensers, each line moved ahead by 10 numbers");
    expect(text).toContain("\n  good:orders: type 3, pre_close, next 61");
    expect(text).toContain("\n  good:users: type 3, pre_close, at its end");
    expect(await taken(dataDir, "good:orders")).toEqual(["61"]);
  });

  test("puts a format around the numbers", async () => {
    const format = { type: "2", length: "6", format: "№{yyyy}/{n:3}{luhn}", zone: "Asia/Tokyo" };
    const dataDir = temporaryFolder();
    const { text } = await run(
      { redis: url, match: "good:orders", margin: "0", ...format },
      dataDir,
    );
    expect(text).toMatch(/\n {2}good:orders: type 2, elegant_close, next \S+20\d\d\/000-0517?/);
    expect((await taken(dataDir, "good:orders"))[0]).toMatch(/\/000-051\d$/);
  });

  test("lets lines with a period go on in that of now", async () => {
    const format = { format: "{yyyy}{MM}-{n}", period: "month", zone: "Asia/Tokyo" };
    const dataDir = temporaryFolder();
    const flags = { redis: url, match: "good:orders", margin: "0", ...format };
    const { text } = await run(flags, dataDir);
    expect(text).toMatch(/\n {2}good:orders: type 3, elegant_close, next 20\d{4}-51/);
    expect((await taken(dataDir, "good:orders"))[0]).toMatch(/^20\d{4}-51$/);
  });

  test("makes lines of a fixed width, where the numbers fit", async () => {
    const flags = { redis: url, match: "good:[oua]*", type: "2", length: "6", margin: "1" };
    const dataDir = temporaryFolder();
    const { text } = await run({ ...flags, skip: "" }, dataDir);
    expect(text).toContain("\n  good:orders: type 2, elegant_close, next 000052");
    expect(text).toContain(
      "  good:almost: its next number is 9223372036854775807, which needs more than 6 digits",
    );
    expect(await taken(dataDir, "good:orders")).toEqual(["000052"]);
  });

  test.each([
    [{ strategy: "none" }, /^UsageError: -strategy: 'none' must be one of memory, /],
    [{ type: "1" }, /^UsageError: -type: '1' must be 2 \(fixed width, with -length\) or 3/],
    [{ type: "2" }, /^UsageError: -type 2 and -length belong together/],
    [{ length: "5" }, /^UsageError: -type 2 and -length belong together/],
    [
      { type: "2", length: "19" },
      /^UsageError: -length: invalid length '19': must be a whole number from 1 to 18/,
    ],
    [
      { format: "INV-{x}" },
      /^UsageError: -format: invalid format 'INV-\{x\}': must have no '\{x\}'/,
    ],
    [{ format: "N{n}", zone: "UTC" }, /^UsageError: -format: 'zone' applies only to a format with/],
    [{ format: "{n}", period: "day" }, /^UsageError: -format: format must show the day/],
    [{ format: "{n}", period: "aeon" }, /^UsageError: -period: invalid period 'aeon'/],
    [{ format: "{yyyy}{n}", zone: "Mars" }, /^UsageError: -zone: invalid zone 'Mars'/],
    [{ ca: "/nowhere" }, /^UsageError: -ca: cannot read \/nowhere: /],
    [{ ca: import.meta.path }, /^UsageError: -ca: .* is not a PEM file$/],
    [{ cert: "/nowhere" }, /^UsageError: -cert: cannot read/],
  ])("%j is refused before anything is asked", async (flags, reason) => {
    const nobody = "redis://127.0.0.1:1";
    expect(await messageOf(run({ redis: nobody, ...flags } as Record<string, string>))).toMatch(
      reason,
    );
  });

  describe("tells apart what can be the matter:", () => {
    const at = (credentials: string, rest = "") =>
      `redis://${credentials}127.0.0.1:${redis.port}${rest}`;
    const cases: [string, () => string, RegExp][] = [
      ["no scheme", () => `127.0.0.1:${redis.port}`, /has no scheme: write redis:\/\/127.*, or re/],
      ["no scheme, a password", () => "u:SECRET@h:1", /has no scheme: it must be redis:\/\/user/],
      ["another scheme", () => "http://h:1", /^UsageError: -redis: it must be redis:\/\//],
      ["parameters", () => at("", "/0?x=SECRET"), /may have no parameters/],
      ["a path", () => at("", "/db"), /path may only be the number of a database/],
      ["a user alone", () => at("SECRET@"), /a user needs a password: write/],
      ["a wrong password", () => at("reader:SECRET@"), /it refuses the password of user 'reader'/],
      ["no such user", () => at("who:SECRET@"), /refuses the password of user 'who', or does not/],
      ["a password too many", () => at(":SECRET@"), /it has no password: leave it out of the URL/],
      ["no right to scan", () => at("nobody:right@"), /user 'nobody' may not read it \(.*'scan'/],
      ["no right to read", () => at("scanner:right@"), /user 'scanner' may not .*'getrange'/],
      ["no such database", () => at("", "/99"), /it has no database 99 \(ERR DB index/],
      ["nothing there", () => `redis://127.0.0.1:${freePort()}`, /: nothing listens on 127/],
      ["no such host", () => "redis://nosuch.invalid", /no address is known of the host of nosu/],
      ["TLS on plain", () => `rediss://127.0.0.1:${redis.port}`, /not speak TLS there: write redi/],
      ["plain on TLS", () => `redis://127.0.0.1:${redis.tlsPort}`, /speaks TLS there: write redis/],
      [
        "a certificate of nobody known",
        () => `rediss://localhost:${redis.tlsPort}`,
        /certificate of an authority that is not known here .*-ca/,
      ],
    ];
    test.each(cases)("%s", async (_, of, reason) => {
      const message = await messageOf(run({ redis: of() }));
      expect(message).toMatch(reason);
      expect(message).not.toMatch(/SECRET|getaddrinfo|OPENSSL/);
    });

    test("a wanted password, a Redis in protected mode, one that loads, and no Redis", async () => {
      for (const [answer, reason] of [
        ["-NOAUTH Authentication required.\r\n", /it wants a password: redis:\/\/:password@host/],
        ["-DENIED Redis is running in protected mode\r\n", /it is in protected mode: run this on/],
        ["-LOADING Redis is loading the dataset\r\n", /it is still loading its data/],
        ["HTTP/1.1 400 Bad Request\r\n\r\n", /does not speak the protocol of Redis/],
      ] as const) {
        const server = impostor(answer);
        const message = await messageOf(run({ redis: `redis://127.0.0.1:${server.port}` }));
        expect(message).toMatch(reason);
        server.stop();
      }
    });

    test("an error that repeats the password is shown without it", async () => {
      const server = impostor("-ERR unknown command 'AUTH', with args: 'SECRET'\r\n");
      const message = await messageOf(run({ redis: `redis://:SECRET@127.0.0.1:${server.port}` }));
      expect(message).toMatch(/it answers: ERR unknown command/);
      expect(message).not.toContain("SECRET");
      server.stop();
    });
  });

  test("keys that a user may not read are named, and the others imported with -skip", async () => {
    const half = `redis://half:right@127.0.0.1:${redis.port}`;
    const { text } = await run({ redis: half, skip: "" });
    expect(text).toContain("imported 5 dispensers");
    expect(text).toMatch(/\n {2}bad:hash: reading it: NOPERM /);
  });

  test("a user needs no more than the rights that an error names", async () => {
    const reader = `redis://reader:right@127.0.0.1:${redis.port}/0`;
    expect((await run({ redis: reader, match: "good:*" })).text).toContain("imported 5 dispens");
  });

  test("over TLS the certificate must be of the authority, and for the host", async () => {
    const ca = redis.authority.cert;
    const secure = { redis: `rediss://localhost:${redis.tlsPort}`, ca, match: "good:*" };
    expect((await run(secure)).text).toContain("imported 5 dispensers");
    const other = { ...secure, redis: `rediss://127.0.0.2:${redis.tlsPort}` };
    expect(await messageOf(run(other))).toContain("a certificate that is not for this name of it");
    expect(await messageOf(run({ redis: url, ca }))).toContain("are for TLS: write rediss://");
  });

  test("a Redis that wants a certificate of its clients gets it", async () => {
    const mutual = new RedisServer(["--tls-auth-clients", "yes"]);
    await mutual.run(["SET", "count", "1"]);
    const { cert, key } = mutual.certificate;
    const secure = { redis: `rediss://localhost:${mutual.tlsPort}`, ca: mutual.authority.cert };
    expect(await messageOf(run(secure))).toContain("give one with -cert and -key");
    expect(await messageOf(run({ ...secure, cert }))).toContain("-cert and -key belong together");
    expect((await run({ ...secure, cert, key })).text).toContain("imported 1 dispensers");
    await mutual.stop();
  });
});
