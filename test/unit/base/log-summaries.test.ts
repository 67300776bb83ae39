import { beforeEach, describe, expect, test } from "bun:test";
import { createLog } from "../../../src/base/log.ts";
import { LogSummaries, SUMMARY_EVERY_MS } from "../../../src/base/log-summaries.ts";

let nowMs = 0;
let logged: string[];
let summaries: LogSummaries;

beforeEach(() => {
  logged = [];
  const write = (line: string) => void logged.push(line.slice(line.indexOf(" ") + 1));
  const log = createLog(
    () => "debug",
    "text",
    write,
    () => new Date(0),
  );
  summaries = new LogSummaries(log, () => nowMs);
});

/** The lines since it was last called. */
const news = () => logged.splice(0);

test("the first event of a kind is logged at once, the others of its second as one line", () => {
  for (const user of ["a", "b", "c", "d"]) summaries.warning("wrong password", { user });
  expect(news()).toEqual(["warning wrong password user=a"]);
  summaries.flush();
  expect(news()).toEqual(["warning wrong password user=d times=3"]);
  summaries.flush();
  expect(news()).toEqual([]);
});

test("events without an end are one line a second", () => {
  const perSecond: number[] = [];
  for (let second = 0; second < 5; second++) {
    for (let each = 0; each < 100; each++) {
      summaries.warning("client refused", { each });
      nowMs += SUMMARY_EVERY_MS / 100;
    }
    summaries.flush();
    perSecond.push(news().length);
  }
  expect(perSecond).toEqual([2, 1, 1, 1, 1]);
});

test("after a second of silence an event is logged at once again", () => {
  summaries.info("client left", { id: 1 });
  nowMs += SUMMARY_EVERY_MS - 1;
  summaries.info("client left", { id: 2 });
  summaries.flush();
  nowMs += SUMMARY_EVERY_MS;
  summaries.info("client left", { id: 3 });
  expect(news()).toEqual([
    "info client left id=1",
    "info client left id=2 times=1",
    "info client left id=3",
  ]);
});

test("what was counted is not overtaken if flush() comes late", () => {
  summaries.info("client left", { id: 1 });
  summaries.info("client left", { id: 2 });
  nowMs += 5 * SUMMARY_EVERY_MS;
  summaries.info("client left", { id: 3 });
  summaries.flush();
  expect(news()).toEqual(["info client left id=1", "info client left id=3 times=2"]);
});

test("a kind is an event and its level", () => {
  for (const _ of [1, 2]) {
    for (const level of ["debug", "info", "warning", "error"] as const) summaries[level]("a");
    summaries.info("b");
  }
  expect(news()).toEqual(["debug a", "info a", "warning a", "error a", "info b"]);
  summaries.flush();
  expect(news()).toEqual([
    "debug a times=1",
    "info a times=1",
    "warning a times=1",
    "error a times=1",
    "info b times=1",
  ]);
});

test("more kinds than there are in the code lose no count", () => {
  for (let kind = 0; kind < 1000; kind++) {
    summaries.info(`kind ${kind}`);
    summaries.info(`kind ${kind}`);
  }
  summaries.flush();
  expect(news().length).toBe(2000);
  const { kinds } = summaries as unknown as { kinds: Map<string, unknown> };
  expect(kinds.size).toBeLessThanOrEqual(100);
});

describe("a warning about one of many things", () => {
  const warn = (line: number) => summaries.warningOf(`${line}`, "line exhausted", { line });
  const own = (line: number) => `warning line exhausted line=${line}`;
  const from = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index);

  test("names each of some tens in a second", () => {
    for (const line of from(1, 50)) warn(line);
    expect(news()).toEqual(from(1, 50).map(own));
    summaries.flush();
    expect(news()).toEqual([]);
  });

  test("is one of a summary past that, and where it is about the same thing again", () => {
    for (const line of from(1, 1000)) warn(line);
    expect(news().length).toBeLessThanOrEqual(51);
    summaries.flush();
    expect(news()).toEqual(["warning line exhausted line=1000 times=949"]);
    nowMs += SUMMARY_EVERY_MS;
    warn(1);
    warn(1);
    warn(1);
    expect(news()).toEqual([own(1), own(1)]);
    summaries.flush();
    expect(news()).toEqual(["warning line exhausted line=1 times=1"]);
  });

  test("is told of each event of the same thing", () => {
    for (const event of ["line used up to 80 %", "line exhausted"]) {
      for (const name of ["x", "y"]) summaries.warningOf(name, event, { name });
    }
    expect(news().length).toBe(4);
  });
});
