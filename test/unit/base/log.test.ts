import { expect, test } from "bun:test";
import { createLog, LINE_BYTES_MAX, type LogFormat, type LogLevel } from "../../../src/base/log.ts";

function lines(
  level: LogLevel,
  format: LogFormat,
  write: (log: ReturnType<typeof createLog>) => void,
) {
  const written: string[] = [];
  write(
    createLog(
      () => level,
      format,
      (line) => void written.push(line),
      () => new Date(0),
    ),
  );
  return written;
}

test("text: one line an event, readable, with fields", () => {
  const written = lines("info", "text", (log) => {
    log.info("ready", { port: 6380, data: "./my data", big: 2n ** 63n });
    log.warning("odd", { text: 'a"b=c\nforged line' });
  });
  expect(written).toEqual([
    '1970-01-01T00:00:00.000Z info ready port=6380 data="./my data" big=9223372036854775808',
    '1970-01-01T00:00:00.000Z warning odd text="a\\"b=c\\nforged line"',
  ]);
});

test("json: the same as an object a line", () => {
  const [line] = lines("info", "json", (log) => log.error("broken", { big: 2n ** 63n, port: 1 }));
  // Figures are numbers, also those past 2^53: a reader that keeps all digits has them.
  expect(line).toBe(
    '{"time":"1970-01-01T00:00:00.000Z","level":"error","event":"broken","big":9223372036854775808,"port":1}',
  );
});

test("events below the level are not written", () => {
  const all = (log: ReturnType<typeof createLog>) => {
    log.debug("a");
    log.info("b");
    log.warning("c");
    log.error("d");
  };
  expect(lines("debug", "text", all).length).toBe(4);
  expect(lines("warning", "text", all).length).toBe(2);
});

/** What a terminal or a reader of lines would not show as it is, and how it is escaped. */
const odd: [string, string, string][] = [
  ["a control character", "\u001b", "\\u001b"],
  ["DEL", "\u007f", "\\u007f"],
  ["a control character of latin1", "\u009b", "\\u009b"],
  ["a zero-width space", "\u200b", "\\u200b"],
  ["an override of the direction", "\u202e", "\\u202e"],
  ["a separator of lines", "\u2028", "\\u2028"],
  ["a separator of paragraphs", "\u2029", "\\u2029"],
  ["a byte-order mark", "\ufeff", "\\ufeff"],
  ["half of a character", "\ud83d", "\\ud83d"],
  ["a tag beyond 16 bits", "\u{e0041}", "\\udb40\\udc41"],
  ["for private use", "\ue000", "\\ue000"],
];

test.each(odd)("%s is escaped in both formats, and in events", (_, character, escaped) => {
  const value = `a${character}b`;
  const write = (log: ReturnType<typeof createLog>) => log.info(value, { user: value });
  const [text] = lines("info", "text", write);
  expect(text).toBe(`1970-01-01T00:00:00.000Z info a${escaped}b user="a${escaped}b"`);
  const [json] = lines("info", "json", write);
  expect(json).toEndWith(`"event":"a${escaped}b","user":"a${escaped}b"}`);
  expect(JSON.parse(json!)).toMatchObject({ event: value, user: value });
});

test("other characters are shown as they are", () => {
  const [line] = lines("info", "text", (log) =>
    log.info("x", { user: "\u00fcn\u00efc\u00f6de\u{1f600}" }),
  );
  expect(line).toEndWith(" user=\u00fcn\u00efc\u00f6de\u{1f600}");
});

test("a field has 255 bytes at most, ends at a character, and says if it was cut", () => {
  const userOf = (user: string) => {
    const [line] = lines("info", "json", (log) => log.info("x", { user }));
    return JSON.parse(line!).user;
  };
  expect(userOf("a".repeat(255))).toBe("a".repeat(255));
  expect(userOf("a".repeat(256))).toBe(`${"a".repeat(255)}... (cut from 256 bytes)`);
  expect(userOf("\u00fc".repeat(128))).toBe(`${"\u00fc".repeat(127)}... (cut from 256 bytes)`);
  expect(userOf("\u{1f600}".repeat(64))).toBe(`${"\u{1f600}".repeat(63)}... (cut from 256 bytes)`);
  expect(userOf("\ud800".repeat(86))).toBe(`${"\ud800".repeat(85)}... (cut from 258 bytes)`);
});

test("a stack is not cut as early", () => {
  const error = `Error: broken\n${"    at work (file.ts:1:1)\n".repeat(40)}`;
  const [line] = lines("info", "json", (log) => log.error("stopped", { error }));
  expect(JSON.parse(line!).error).toBe(error);
});

test.each(["text", "json"] as const)("%s: no line is longer than its cap", (format) => {
  const hostile = "\u0001".repeat(16_384);
  const fields = { client: hostile, user: hostile, error: hostile, reason: hostile };
  const written = lines("info", format, (log) => {
    log.warning("wrong password", { client: "127.0.0.1:1", user: hostile });
    log.error(hostile, fields);
    log.error("broken", { a: 2n ** 20_000n, ...fields });
  });
  for (const line of written) {
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(LINE_BYTES_MAX);
    if (format === "json") expect(JSON.parse(line).level).toBeString();
  }
  expect(written[0]).toContain("... (cut from 16384 bytes)");
  expect(written[1]).toContain("(cut from 16384 bytes)");
});
