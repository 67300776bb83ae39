import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ProtocolVersion, Replies } from "../../../src/resp/encode.ts";
import { allocate, NO_LEDGER, NoRoom } from "../../../src/resp/ledger.ts";
import { Books } from "../../support/books.ts";

function written(version: ProtocolVersion, write: (replies: Replies) => void): string {
  const replies = new Replies();
  replies.version = version;
  write(replies);
  return replies.bytes.toString("latin1", 0, replies.length);
}

const cases: [string, (replies: Replies) => void, string, string][] = [
  ["status", (r) => r.simple("OK"), "+OK\r\n", "+OK\r\n"],
  ["error", (r) => r.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"],
  ["integer", (r) => r.integer(-3), ":-3\r\n", ":-3\r\n"],
  ["bulk", (r) => r.bulk("a\r\n\xff"), "$4\r\na\r\n\xff\r\n", "$4\r\na\r\n\xff\r\n"],
  ["verbatim", (r) => r.verbatim("text"), "$4\r\ntext\r\n", "=8\r\ntxt:text\r\n"],
  ["null", (r) => r.null(), "$-1\r\n", "_\r\n"],
  ["array", (r) => r.array(2), "*2\r\n", "*2\r\n"],
  ["set", (r) => r.set(2), "*2\r\n", "~2\r\n"],
  ["map", (r) => r.map(2), "*4\r\n", "%2\r\n"],
];

test.each(cases)("%s in RESP2 and RESP3", (_, write, two, three) => {
  expect(written(2, write)).toBe(two);
  expect(written(3, write)).toBe(three);
});

test("a bulk written in place is the bulk of its bytes", () => {
  for (const text of ["7", "123456789", "1234567890", "9223372036854775807"]) {
    const bytes = written(2, (replies) => {
      const at = replies.bulkRoom(text.length);
      replies.bytes.write(text, at, "latin1");
    });
    expect(bytes).toBe(`$${text.length}\r\n${text}\r\n`);
  }
});

test("replies grow as they need, and buffers come back for the next", () => {
  const replies = new Replies();
  for (let count = 0; count < 3; count++) {
    for (let line = 0; line < 30_000; line++) replies.simple(`line ${line}`);
    const text = replies.bytes.toString("latin1", 0, replies.length);
    expect(text.split("\r\n").length).toBe(30_001);
    expect(text.endsWith("+line 29999\r\n")).toBe(true);
    replies.clear();
    expect(replies.length).toBe(0);
  }
});

test("the books say what replies hold, whatever is appended", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(90_000), { maxLength: 12 }), (sizes) => {
      const books = new Books();
      const replies = new Replies(books);
      for (const size of sizes) {
        replies.bulk("x".repeat(size));
        expect(books.held).toBe(replies.bytes.length);
        // A short reply is in a small buffer.
        expect(replies.bytes.length).toBeLessThanOrEqual(Math.max(1024, 4 * replies.length));
      }
      replies.clear();
      expect([books.held, replies.bytes.length]).toEqual([0, 0]);
    }),
  );
});

test("replies end where there is no room: at their limit, and where the process gets no memory", () => {
  const replies = new Replies(NO_LEDGER, () => 5000);
  for (let count = 0; count < 4; count++) replies.bulk("x".repeat(1000));
  expect(() => replies.bulk("x".repeat(1000))).toThrow(NoRoom);
  // What was there before is as it was.
  expect(replies.length).toBe(4 * 1009);
  expect(() => allocate(2 ** 50)).toThrow(NoRoom);
});
