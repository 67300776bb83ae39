/** Over more names than the processor's caches hold, GETs that come together are looked up together. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { openSqliteStore } from "../../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { ReplyError, TestClient } from "../../../../testkit/resp.ts";
import { startLocal } from "../../../support/server.ts";

/** More than the engine looks for one by one. */
const NAMES = 8500;
const options = { create: true, allowNetworkFileSystem: false };

test("pipelines over many names give each line's numbers, be it asleep, deleted or unknown", async () => {
  const dataDir = temporaryFolder();
  const first = startLocal(openSqliteStore(dataDir, options));
  const maker = await TestClient.connect(first.port);
  const all = Array.from({ length: NAMES }, (_, index) => index);
  for (let from = 0; from < NAMES; from += 500) {
    const some = all.slice(from, from + 500);
    await maker.pipeline(
      some.map((index) => ["HSET", `line:${index}`, "type", "3", "starting", `${1000 * index}`]),
    );
  }
  maker.close();
  await first.server.stop();

  // All of them are asleep now.
  const { port, server: listener } = startLocal(openSqliteStore(dataDir, options));
  const client = await TestClient.connect(port);
  const next = new Map<number, number>(all.map((index) => [index, 1000 * index]));
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.nat(NAMES - 1).map((index) => ({ does: "GET", index })) },
    { weight: 1, arbitrary: fc.nat(NAMES - 1).map((index) => ({ does: "DEL", index })) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: NAMES, max: NAMES + 9 })
        .map((index) => ({ does: "GET", index })),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 200 }), async (steps) => {
      const expected = steps.map(({ does, index }) => {
        const number = next.get(index);
        if (does === "DEL") return next.delete(index) ? 1 : 0;
        if (number === undefined) return `ERR dispenser not found: 'line:${index}'`;
        next.set(index, number + 1);
        return String(number);
      });
      const replies = await client.pipeline(
        steps.map(({ does, index }) => [does, `line:${index}`]),
      );
      expect(replies.map((reply) => (reply instanceof ReplyError ? reply.message : reply))).toEqual(
        expected,
      );
    }),
    { numRuns: 40 },
  );
  client.close();
  await listener.stop();
});
