import { afterAll, describe, expect, test } from "bun:test";
import { toBytes } from "../../../../src/dispenser/name.ts";
import { ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { startInMemory } from "../../../support/server.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const FINGERPRINT = "be45cb26";

const { server, port, logged, engine } = startInMemory({ takeMax: 100 });
const client = await TestClient.connect(port);

afterAll(async () => {
  client.close();
  await server.stop();
});

const run = (line: string) => client.command(...line.split(" "));
const error = (text: string) => new ReplyError(text);

describe("codes", () => {
  test("are given by type 4, and their key is shown nowhere", async () => {
    const field = `key ${KEY}`;
    expect(
      await run(`HSET coupon type 4 length 8 alphabet safe ${field} auto_disk pre_close`),
    ).toBe(5);
    expect(await run("GET coupon")).toBe("6ZP8W2FT");
    expect(await run("MGET coupon coupon")).toEqual(["MB2ZBD75", "R52FX9MK"]);
    const fields = ["type", "4", "length", "8", "alphabet", "safe", "key", FINGERPRINT];
    expect(await run("HGETALL coupon")).toEqual([...fields, "auto_disk", "pre_close"]);
    expect(await run("HGET coupon key")).toBe(FINGERPRINT);
    await run(`HSET coupon ${field} auto_disk elegant_close`);
    await run(`HSET coupon key ${KEY.replace("0", "1")}`);
    await run(`HSET other type 3 ${field}`);
    expect(logged.join("\n")).toContain(`alphabet safe key ${FINGERPRINT} auto_disk elegant_close`);
    expect(logged.join("\n")).not.toContain(KEY.slice(2));
  });

  test("tell nothing of the next one, and how easily one is guessed", async () => {
    await run("HSET pin type code length 4");
    for (let count = 0; count < 9; count++) await run("GET pin");
    const info = await client.info("pin");
    expect(info).toMatchObject({
      ...{ type: "4", length: "4", starting: "0", step: "0", current: "0", generated: "9" },
      ...{ next: "", last: "", remaining: "8991", used_percent: "0.10", guess_odds: "0.001" },
    });
    expect(info.key).toMatch(/^[0-9a-f]{8}$/);
    expect(await run("PEEK pin")).toEqual(error("ERR PEEK does not apply to type 4: 'pin'"));
  });

  test("all of a domain come once; then the range is exhausted", async () => {
    await run("HSET all type 4 length 4 auto_disk pre_close");
    const seen = new Set<unknown>();
    for (let page = 0; page < 90; page++) {
      const taken = await client.pipeline(Array.from({ length: 100 }, () => ["GET", "all"]));
      for (const code of taken) seen.add(code);
    }
    expect(seen.size).toBe(9000);
    expect(await run("GET all")).toEqual(error("ERR number range exhausted: 'all'"));
  });

  test("go on behind the code that ADVANCE is given, which is told to the log", async () => {
    await run(`HSET moved type 4 length 4 key ${KEY}`);
    expect(await run("ADVANCE moved 1483")).toBe("0");
    expect(await run("GET moved")).toBe("4013");
    expect(logged.at(-1)).toContain("dispenser advanced dispenser=moved");
    expect(await run("ADVANCE moved 12")).toEqual(
      error("ERR invalid code: must be one of this line, which goes on behind it"),
    );
  });
});

describe("formats", () => {
  test("are what GET, INFO, PEEK, VERIFY and ADVANCE speak", async () => {
    // The test's client speaks in byte strings.
    const format = toBytes("单-{n:3}-{damm}");
    expect(await client.command("HSET", "i", "type", "2", "length", "6", "format", format)).toBe(3);
    expect(await run("MGET i i")).toEqual([toBytes("单-000-000-0"), toBytes("单-000-001-3")]);
    expect(await run("HGET i format")).toBe(format);
    expect(await client.info("i")).toMatchObject({
      ...{
        current: "000002",
        next: toBytes("单-000-002-1"),
        last: toBytes("单-999-999-0"),
        format,
      },
    });
    expect(await run("PEEK i 2")).toEqual([toBytes("单-000-002-1"), toBytes("单-000-003-7")]);
    const numbers = [
      toBytes("单-000-001-3"),
      toBytes("单-000-001-4"),
      toBytes("单-000-002-1"),
      "000001",
    ];
    const found = numbers.map((number) => client.command("VERIFY", "i", number));
    expect(await Promise.all(found)).toEqual([1, 0, 0, 0]);
    expect(await client.command("ADVANCE", "i", "100")).toStartWith(toBytes("单-000-100-"));
    expect(logged.join("\n")).toContain("format 单-{n:3}-{damm}");
  });

  test("grow with a length, and what was written before stays genuine", async () => {
    await run("HSET grown type 2 length 2 format N{n}");
    await run("GET grown");
    await run("HSET grown length 4");
    expect([await run("VERIFY grown N00"), await run("VERIFY grown N0000")]).toEqual([1, 1]);
    expect(await run("GET grown")).toBe("N0001");
  });
});

test("a guess may be a code that was skipped; how far one lies ahead is not told", async () => {
  await run("HSET far type code length 12 alphabet safe");
  const { series } = engine.find("far")!.definition;
  const ahead = series.numberAt(series.positions / 2n);
  expect(await run(`ADVANCE far ${ahead}`)).toEqual(
    error(
      "ERR ADVANCE of 'far' would skip very many codes, for good: add FORCE where that is meant",
    ),
  );
  expect(await run(`ADVANCE far ${ahead} FORCE`)).toBe("0");
  expect((await client.info("far")).guess_odds).toBe("0.5");
  expect(await run(`VERIFY far ${ahead}`)).toBe(1);
});

describe("PEEK", () => {
  test("shows what comes next, and takes nothing", async () => {
    await run("HSET p type 2 length 3 starting 990 step 3");
    expect(await run("PEEK p")).toBe("990");
    expect(await run("PEEK p 2")).toEqual(["990", "993"]);
    expect(await run("PEEK p 100")).toEqual(["990", "993", "996", "999"]);
    expect(await run("MGET p p p p")).toEqual(["990", "993", "996", "999"]);
    expect(await run("PEEK p")).toEqual(error("ERR number range exhausted: 'p'"));
    expect(await run("PEEK p 3")).toEqual(error("ERR number range exhausted: 'p'"));
  });

  test("refuses what it cannot show", async () => {
    await run("HSET r type 1 length 5");
    expect(await run("PEEK nobody")).toEqual(error("ERR dispenser not found: 'nobody'"));
    expect(await run("PEEK r")).toEqual(error("ERR PEEK does not apply to type 1: 'r'"));
    const allowed = "must be a whole number from 1 to 100";
    for (const count of ["0", "101", "-1", "x"]) {
      expect(await run(`PEEK p ${count}`)).toEqual(
        error(`ERR invalid count '${count}': ${allowed}`),
      );
    }
  });
});

describe("VERIFY", () => {
  test("knows the numbers of a line from all others", async () => {
    await run("HSET v type 2 length 4 starting 10 step 5");
    await run("MGET v v v");
    const found = async (...numbers: string[]) =>
      Promise.all(numbers.map((number) => run(`VERIFY v ${number}`)));
    expect(await found("0010", "0015", "0020")).toEqual([1, 1, 1]);
    expect(await found("0025", "0011", "0005", "00010", "x", "-10")).toEqual(Array(6).fill(0));
    await run("ADVANCE v 100");
    expect(await found("0095", "0100")).toEqual([1, 0]);
    // As it was written while it was shorter, which may have been at any time.
    await run("HSET v length 6");
    expect(await found("0010", "000010", "0000010")).toEqual([1, 1, 0]);
  });

  test("needs no padding of a line that has none, and takes none", async () => {
    await run("HSET w type 3 starting 7");
    await run("GET w");
    expect([await run("VERIFY w 7"), await run("VERIFY w 07"), await run("VERIFY w 8")]).toEqual([
      ...[1, 0, 0],
    ]);
  });

  test("tells vouchers from guesses", async () => {
    await run("HSET voucher type 4 length 4");
    const codes = await client.pipeline(Array.from({ length: 50 }, () => ["GET", "voucher"]));
    for (const code of codes) expect(await run(`VERIFY voucher ${code}`)).toBe(1);
    let genuine = 0;
    for (let text = 1000; text < 2000; text++) {
      genuine += (await run(`VERIFY voucher ${text}`)) as number;
    }
    expect(genuine).toBe(codes.filter((code) => String(code) < "2000").length);
  });

  test("bears any text, in any format", async () => {
    await run("HSET grouped type code length 8 alphabet safe format {n:4}");
    for (const text of ["-", "----", "A--", "x".repeat(300), "\0", "é"]) {
      expect(await client.command("VERIFY", "grouped", text)).toBe(0);
      expect(await client.command("ADVANCE", "grouped", text)).toBeInstanceOf(ReplyError);
    }
  });

  test("does not apply to numbers that may repeat", async () => {
    expect(await run("VERIFY r 12345")).toEqual(error("ERR VERIFY does not apply to type 1: 'r'"));
    expect(await run("VERIFY nobody 1")).toEqual(error("ERR dispenser not found: 'nobody'"));
  });
});

test("a node that shares lines by its place wants a key, the same for all", async () => {
  const other = startInMemory({ node: "2/3" });
  const there = await TestClient.connect(other.port);
  expect(await there.command("HSET", "c", "type", "4", "length", "6")).toEqual(
    error(
      "ERR key field is required on a node that shares lines by -node: each node would draw another, and their codes " +
        "would meet. Give the same on all nodes",
    ),
  );
  expect(await there.command("HSET", "c", "type", "4", "length", "6", "key", KEY)).toBe(3);
  const code = String(await there.command("GET", "c"));
  expect(await there.command("VERIFY", "c", code)).toBe(1);
  await run(`HSET first type 4 length 6 key ${KEY}`);
  const elsewhere = String(await run("GET first"));
  expect(await there.command("VERIFY", "c", elsewhere)).toEqual(
    error("ERR another node hands out this number, and alone knows of it: 'c'"),
  );
  there.close();
  await other.server.stop();
});
