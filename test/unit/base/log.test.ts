import { expect, test } from "bun:test";
import { createLog, type LogFormat, type LogLevel } from "../../../src/base/log.ts";

function lines(
  level: LogLevel,
  format: LogFormat,
  write: (log: ReturnType<typeof createLog>) => void,
) {
  const written: string[] = [];
  write(
    createLog(
      level,
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
  expect(JSON.parse(line!)).toEqual({
    time: "1970-01-01T00:00:00.000Z",
    level: "error",
    event: "broken",
    big: "9223372036854775808",
    port: 1,
  });
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
