import Redis, { ReplyError } from "ioredis";
import { type Adapter, fieldsOf, numeral } from "./adapter.ts";
import { describeClient } from "./conformance.ts";

type Results = [error: Error | null, reply: unknown][] | null;

/** The replies of a pipeline or a transaction; ioredis gives errors their place in the results. */
function repliesOf(results: Results): unknown[] {
  return results!.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}

function createAdapter(): Adapter {
  let client: Redis;
  return {
    async connect(port) {
      client = new Redis(port, "127.0.0.1");
      // It reports each attempt to connect that failed, and tries again.
      client.on("error", () => {});
      await client.ping();
    },
    async close() {
      await client.quit();
    },
    define: (name, fields) => client.hset(name, fields),
    take: async (name) => numeral(await client.get(name)),
    async takeMany(name, count) {
      const pipeline = client.pipeline();
      for (let k = 0; k < count; k++) pipeline.get(name);
      return repliesOf(await pipeline.exec()).map(numeral);
    },
    async takeManyInTransaction(name, count) {
      const transaction = client.multi();
      for (let k = 0; k < count; k++) transaction.get(name);
      return repliesOf(await transaction.exec()).map(numeral);
    },
    async transact(commands) {
      const transaction = client.multi();
      for (const [command, ...args] of commands) transaction.call(command, ...args);
      return repliesOf(await transaction.exec());
    },
    takeEach: async (names) => (await client.mget(...names)).map(numeral),
    infoOf: async (name) => fieldsOf(await client.info(name)),
    serverInfo: async () => fieldsOf(await client.info()),
    definitionOf: (name) => client.hgetall(name),
    exists: async (name) => (await client.exists(name)) === 1,
    remove: (names) => client.del(...names),
    async names(pattern) {
      const found: string[] = [];
      for await (const page of client.scanStream({ match: pattern })) found.push(...page);
      return found;
    },
    isRefusal: (error) => error instanceof ReplyError,
  };
}

describeClient("ioredis", createAdapter);
