/**
 * The same bytes to a redis-server and to this server: the replies are the same, byte for byte,
 * and so is who ends the connection. What is meant to differ is in differences.ts.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { anySeed } from "../../support/arguments.ts";
import { type Compared, compareAll, escaped, isSame, report, show } from "./compare.ts";
import { differences, meantToDiffer } from "./differences.ts";
import { generate } from "./generate.ts";
import { PASSWORD, type Servers, startServers, whyNot } from "./servers.ts";
import type { Stream } from "./stream.ts";
import { openStreams, passwordStreams } from "./streams.ts";

if (whyNot !== undefined) console.warn(whyNot);

const seed = Number(process.env.DIFFERENTIAL_SEED ?? anySeed());
const runs = Number(process.env.DIFFERENTIAL_RUNS ?? 300);

/** Started before the first test, and ended after the last. */
const started = new Map<string | undefined, Promise<Servers>>();

/** Sends all streams before the first test, and answers where their results will be. */
function compared(streams: readonly Stream[], password?: string): Promise<Compared>[] {
  const results: Promise<Compared>[] = [];
  beforeAll(() => {
    const servers = started.get(password) ?? startServers(password);
    started.set(password, servers);
    results.push(...compareAll(servers, streams));
  });
  return results;
}

afterAll(async () => {
  for (const servers of started.values()) await (await servers).stop();
});

const numbered = (streams: readonly Stream[]) =>
  streams.map(({ name }, index) => [name, index] as const);

describe.skipIf(whyNot !== undefined).each([
  ["as Redis", openStreams, undefined],
  ["as Redis with a password", passwordStreams, PASSWORD],
])("%s", (_, streams, password) => {
  const results = compared(streams, password);
  test.each(numbered(streams))("%s", async (_, index) => {
    const { redis, ours } = await results[index]!;
    const meant = meantToDiffer[streams[index]!.name];
    if (meant === undefined) return expect(ours).toEqual(redis);
    expect(ours).not.toEqual(redis);
    expect(ours.replies.join("")).toContain(escaped(meant.contains));
  });
});

describe.skipIf(whyNot !== undefined)("not as Redis, on purpose", () => {
  const streams = differences.map(({ stream }) => stream);
  const results = compared(streams);
  test.each(numbered(streams))("%s", async (_, index) => {
    const { redis, ours, stream } = differences[index]!;
    const expected = { redis: show(redis, stream), ours: show(ours, stream) };
    expect(expected.ours).not.toEqual(expected.redis);
    expect(await results[index]!).toEqual(expected);
  });
});

describe.skipIf(whyNot !== undefined)("generated streams", () => {
  const streams = Array.from({ length: runs }, (_, index) => generate(seed + index));
  const results = compared(streams);
  test(`as Redis: ${runs} of them, DIFFERENTIAL_SEED=${seed}`, async () => {
    const all = await Promise.all(results);
    const differing = all.flatMap((result, index) =>
      isSame(result) ? [] : [report(streams[index]!, result)],
    );
    expect(differing.slice(0, 5)).toEqual([]);
  });
});

test("no two streams have the same name, and a seed gives the same stream again", () => {
  const names = [...openStreams, ...passwordStreams].map(({ name }) => name);
  expect(names.length).toBe(new Set(names).size);
  expect(generate(seed)).toEqual(generate(seed));
});
