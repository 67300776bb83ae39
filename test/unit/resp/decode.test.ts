import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Decoder, EMPTY_REQUEST, FAILED, GET, NOTHING, REQUEST } from "../../../src/resp/decode.ts";
import { PrefetchNames } from "../../../src/resp/fast-get.ts";
import { encodeRequest } from "../../../testkit/resp.ts";
import { Books } from "../../support/books.ts";

const limits = { requestBytesMax: 1024 * 1024, requestArgumentsMax: 1024 * 1024 };

/** The requests of byte strings that arrive one after the other; an error is the last one. */
function decodeChunks(chunks: readonly string[], some = limits): (readonly string[] | string)[] {
  const decoder = new Decoder(some);
  const requests: (readonly string[] | string)[] = [];
  for (const chunk of chunks) {
    decoder.push(Buffer.from(chunk, "latin1"));
    for (let found = decoder.next(); found !== NOTHING; found = decoder.next()) {
      if (found === FAILED) return [...requests, decoder.error];
      if (found === EMPTY_REQUEST) continue;
      requests.push(found === GET ? ["GET", decoder.name] : decoder.args);
    }
  }
  return requests;
}

const decode = (bytes: string, some = limits) => decodeChunks([bytes], some);

/** Requests without regard to the case of GET, which the fast lane does not keep. */
const folded = (requests: (readonly string[] | string)[]) =>
  requests.map((request) =>
    typeof request !== "string" && request.length === 2 && request[0]!.toUpperCase() === "GET"
      ? ["GET", request[1]]
      : request,
  );

const pipeline = [
  encodeRequest("GET", "order_id"),
  encodeRequest("get", "a"),
  "GET inline_name\r\n",
  encodeRequest("HSET", "order_id", "type", "3", "starting", "10"),
  "*0\r\n",
  "\r\n",
  encodeRequest("GET", "name with \r\n in it"),
  encodeRequest("GET", ""),
  encodeRequest("gEt", "x".repeat(120)),
  "PING \"a b\\x41\\n\" 'it\\'s'\n",
  "*-1\r\n",
  encodeRequest("ECHO", "\x00\xff*2\r\n$3\r\nGET\r\n"),
  encodeRequest("GET"),
  encodeRequest("MGET", "a", "b", "c"),
].join("");

const requests = [
  ["GET", "order_id"],
  ["GET", "a"],
  ["GET", "inline_name"],
  ["HSET", "order_id", "type", "3", "starting", "10"],
  ["GET", "name with \r\n in it"],
  ["GET", ""],
  ["GET", "x".repeat(120)],
  ["PING", "a bA\n", "it's"],
  ["ECHO", "\x00\xff*2\r\n$3\r\nGET\r\n"],
  ["GET"],
  ["MGET", "a", "b", "c"],
];

describe("a mixed pipeline gives the same requests", () => {
  test("in one piece", () => {
    expect(folded(decode(pipeline))).toEqual(requests);
  });

  test("split in two at every byte", () => {
    for (let at = 1; at < pipeline.length; at++) {
      const chunks = [pipeline.slice(0, at), pipeline.slice(at)];
      expect(folded(decodeChunks(chunks))).toEqual(requests);
    }
  });

  test("byte by byte", () => {
    expect(folded(decodeChunks([...pipeline]))).toEqual(requests);
  });

  test("in random chunks", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: pipeline.length - 1 }), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, (at) => {
        const points = [0, ...at.sort((a, b) => a - b), pipeline.length];
        const chunks = points.slice(1).map((end, index) => pipeline.slice(points[index], end));
        expect(folded(decodeChunks(chunks))).toEqual(requests);
      }),
    );
  });
});

test("the names gathered ahead are those of the GETs that follow at once", () => {
  const ahead = new PrefetchNames();
  const gathered = () =>
    Array.from({ length: ahead.count }, (_, index) =>
      Buffer.from(ahead.bytes).toString("latin1", ahead.from(index), ahead.to(index)),
    );
  const name = fc.stringMatching(/^[a-z]{1,12}$/);
  const request = fc.oneof(
    name.map((each) => encodeRequest("GET", each)),
    name.map((each) => encodeRequest("get", each)),
    fc.constantFrom(encodeRequest("PING"), "GET inline\r\n", encodeRequest("GET", "x".repeat(120))),
  );
  fc.assert(
    fc.property(fc.array(request, { maxLength: 40 }), fc.nat(20), (all, left) => {
      const bytes = all.join("");
      const decoder = new Decoder(limits);
      decoder.push(Buffer.from(bytes.slice(0, Math.max(0, bytes.length - left)), "latin1"));
      for (;;) {
        decoder.prefetch(ahead);
        const expected = gathered();
        if (expected.length === 0) {
          // What follows, if anything, is none of the fast lane's.
          if (decoder.next() === NOTHING) break;
          continue;
        }
        const found = expected.map(() => (decoder.next() === GET ? decoder.name : "none"));
        expect(found).toEqual(expected);
      }
    }),
  );
});

describe("large requests", () => {
  const large = (bytes: number) => encodeRequest("ECHO", "x".repeat(bytes));
  const stream = [
    encodeRequest("GET", "a"),
    large(300_000),
    encodeRequest("GET", "a"),
    large(70_000),
    "PING\r\n",
    encodeRequest("MGET", ...Array.from({ length: 2000 }, (_, index) => `name:${index}`)),
    large(140_000),
    encodeRequest("GET", "b"),
  ].join("");
  const wanted = folded(decode(stream));

  test("in pieces of any size give the same requests, be they asked for late", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.boolean(), (lengths, isLate) => {
        const books = new Books();
        const decoder = new Decoder(limits, books);
        const found: (readonly string[])[] = [];
        const take = () => {
          for (let kind = decoder.next(); kind !== NOTHING; kind = decoder.next()) {
            found.push(kind === GET ? ["GET", decoder.name] : decoder.args);
            decoder.letGo();
            expect(books.held).toBe(decoder.held);
          }
        };
        for (let at = 0, index = 0; at < stream.length; index++) {
          const length = lengths[index % lengths.length]! + index;
          decoder.push(Buffer.from(stream.slice(at, at + length), "latin1"));
          at += length;
          expect(books.held).toBe(decoder.held);
          if (!isLate) take();
        }
        take();
        expect(folded(found)).toEqual(wanted);
        expect([decoder.pending, decoder.held, books.held]).toEqual([0, 0, 0]);
      }),
      { numRuns: 200 },
    );
  });

  test("that are not whole are held as they came, without a copy", () => {
    const decoder = new Decoder(limits);
    const half = Buffer.from(large(600_000).slice(0, 400_000), "latin1");
    for (let at = 0; at < half.length; at += 100_000) {
      decoder.push(half.subarray(at, at + 100_000));
      expect(decoder.next()).toBe(NOTHING);
    }
    expect([decoder.pending, decoder.held]).toEqual([400_000, 400_000]);
  });
});

test("the arguments of a request are kept no longer than its run, and keep no line alive", () => {
  const decoder = new Decoder(limits);
  const before = heapBytes();
  const names = Array.from({ length: 300 }, (_, index) => {
    decoder.push(Buffer.from(`CLIENT SETNAME "name${index}"${" ".repeat(60_000)}\r\n`));
    expect(decoder.next()).toBe(REQUEST);
    expect(decoder.requestBytes).toBeGreaterThan(60_000);
    const [, , name] = decoder.args;
    decoder.letGo();
    expect([decoder.args.length, decoder.requestBytes]).toEqual([0, 0]);
    return name!;
  });
  expect(heapBytes() - before).toBeLessThan(6_000_000);
  expect(names.join("").length).toBeGreaterThan(1000);
});

function heapBytes(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

test("what is left of a request that nobody waits for is given back", () => {
  const books = new Books();
  const decoder = new Decoder(limits, books);
  decoder.push(Buffer.from("*2\r\n$4\r\nECHO\r\n$900000\r\n"));
  for (let count = 0; count < 5; count++) decoder.push(Buffer.alloc(100_000, "x"));
  expect(books.held).toBeGreaterThan(500_000);
  decoder.release();
  expect([books.held, decoder.held, decoder.pending]).toEqual([0, 0, 0]);
});

describe("the fast lane", () => {
  /** The same bytes, but in two pieces, so that the general way reads them. */
  const slowly = (bytes: string) => {
    const decoder = new Decoder(limits);
    decoder.push(Buffer.from(bytes.slice(0, 5), "latin1"));
    if (decoder.next() !== NOTHING) throw new Error("five bytes are no request");
    decoder.push(Buffer.from(bytes.slice(5), "latin1"));
    const found = decoder.next();
    return found === FAILED ? decoder.error : found === GET ? "fast" : decoder.args;
  };

  test("says what the general way says, on every input that looks like a GET", () => {
    const head = fc.constantFrom("*2\r\n$3\r\n", "*2\r\n$3\r\n", "*3\r\n$3\r\n");
    const word = fc.constantFrom("GET", "get", "GeT", "SET", "GE", "GETT");
    const length = fc.oneof(
      fc.nat({ max: 120 }).map(String),
      fc.constantFrom("01", "-1", "", "+1", "a"),
    );
    const name = fc.string({ unit: "binary-ascii", maxLength: 110 });
    const end = fc.constantFrom("\r\n", "\r\n", "\n\r", "xx", "");
    fc.assert(
      fc.property(head, word, length, name, end, fc.boolean(), (h, w, l, n, e, isRight) => {
        const bytes = `${h}${w}\r\n$${isRight ? n.length : l}\r\n${n}${e}${encodeRequest("PING")}`;
        const [fast] = folded(decode(bytes));
        const slow = slowly(bytes);
        if (fast !== undefined) expect([fast]).toEqual(folded([slow as string[]]));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("malformed requests", () => {
  const cases: [string, string][] = [
    ["*a\r\n", "invalid multibulk length"],
    ["*\r\n", "invalid multibulk length"],
    ["*01\r\n", "invalid multibulk length"],
    ["*1048577\r\n", "invalid multibulk length"],
    ["*99999999999999999999\r\n", "invalid multibulk length"],
    [`*${"1".repeat(200)}\r\n`, "invalid multibulk length"],
    [`*${"1".repeat(70_000)}`, "too big mbulk count string"],
    ["*1\r\nPING\r\n", "expected '$', got 'P'"],
    ["*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"],
    ["*1\r\n:1\r\n", "expected '$', got ':'"],
    ["*1\r\n$x\r\n", "invalid bulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$1e3\r\n", "invalid bulk length"],
    ["*1\r\n$ 4\r\nPING\r\n", "invalid bulk length"],
    ["*1\r\n$1048576\r\n", "invalid bulk length"],
    [`*1\r\n$${"1".repeat(70_000)}`, "too big bulk count string"],
    ["*1\r\n$4\r\nPINGxx", "expected CRLF after the bulk string"],
    ["*1\r\n$3\r\nPING\r\n", "expected CRLF after the bulk string"],
    ["x".repeat(70_000), "too big inline request"],
    ['PING "x\r\n', "unbalanced quotes in request"],
    ["PING 'x'y\r\n", "unbalanced quotes in request"],
  ];
  const named = cases.map(([bytes, error]) => [bytes.slice(0, 24), error, bytes] as const);
  test.each(named)("that begin with %p: %s", (_, error, bytes) => {
    expect(decode(bytes)).toEqual([`Protocol error: ${error}`]);
    expect(decodeChunks([...bytes.slice(0, 300), bytes.slice(300)])).toEqual([
      `Protocol error: ${error}`,
    ]);
  });

  test("what stands before them is answered, what follows is not", () => {
    const bytes = `${encodeRequest("GET", "a")}*x\r\n${encodeRequest("GET", "b")}`;
    expect(decode(bytes)).toEqual([["GET", "a"], "Protocol error: invalid multibulk length"]);
  });
});

describe("limits", () => {
  const small = { requestBytesMax: 100, requestArgumentsMax: 3 };

  test("a request may reach them", () => {
    expect(decode(encodeRequest("a", "b", "c"), small)).toEqual([["a", "b", "c"]]);
    expect(decode(encodeRequest("x".repeat(89)), small)).toEqual([["x".repeat(89)]]);
  });

  test("but not pass them, in one argument or in all together", () => {
    expect(decode(encodeRequest("a", "b", "c", "d"), small)).toEqual([
      "Protocol error: invalid multibulk length",
    ]);
    expect(decode(encodeRequest("x".repeat(95)), small)).toEqual([
      "Protocol error: invalid bulk length",
    ]);
    expect(decode(encodeRequest("x".repeat(50), "y".repeat(50)), small)).toEqual([
      "Protocol error: invalid bulk length",
    ]);
  });

  test("many arguments of a request that comes in many pieces are each read once", () => {
    const words = Array.from({ length: 20_000 }, () => "");
    const bytes = encodeRequest("DEL", ...words);
    const chunks: string[] = [];
    for (let at = 0; at < bytes.length; at += 7) chunks.push(bytes.slice(at, at + 7));
    const [request] = decodeChunks(chunks);
    expect(request?.length).toBe(20_001);
  });
});

test("a decoder with nothing left holds no bytes", () => {
  const decoder = new Decoder(limits);
  decoder.push(Buffer.from(encodeRequest("GET", "a")));
  expect(decoder.next()).toBe(GET);
  expect(decoder.next()).toBe(NOTHING);
  expect(decoder.pending).toBe(0);
});
