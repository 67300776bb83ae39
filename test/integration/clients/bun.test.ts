import { RedisClient } from "bun";
import { type Adapter, fieldsOf, numeral } from "./adapter.ts";
import { describeClient } from "./conformance.ts";

function createAdapter(): Adapter {
  let client: RedisClient;

  /** It has no form for transactions: the commands are sent one by one, and pipelined. */
  async function transact(commands: readonly (readonly [string, ...string[]])[]) {
    const queued = commands.map(([command, ...args]) => [command, args] as const);
    const replies = await Promise.all(
      [["MULTI", []] as const, ...queued, ["EXEC", []] as const].map(([command, args]) =>
        client.send(command, [...args]),
      ),
    );
    const results: unknown[] = replies.at(-1);
    for (const result of results) if (result instanceof Error) throw result;
    return results;
  }

  return {
    async connect(port) {
      client = new RedisClient(`redis://127.0.0.1:${port}`);
      await client.connect();
    },
    async close() {
      client.close();
    },
    define: (name, fields) => client.hset(name, fields),
    take: async (name) => numeral(await client.get(name)),
    takeMany: async (name, count) =>
      (await Promise.all(Array.from({ length: count }, () => client.get(name)))).map(numeral),
    async takeManyInTransaction(name, count) {
      const commands = Array.from({ length: count }, () => ["GET", name] as const);
      return (await transact(commands)).map(numeral);
    },
    transact,
    takeEach: async (names) => (await client.mget(...names)).map(numeral),
    infoOf: async (name) => fieldsOf(await client.send("INFO", [name])),
    serverInfo: async () => fieldsOf(await client.send("INFO", [])),
    // Its objects have no prototype, which toEqual() takes for a difference.
    definitionOf: async (name) => ({ ...(await client.hgetall(name)) }),
    exists: (name) => client.exists(name),
    remove: (names) => client.del(...names),
    async names(pattern) {
      const found: string[] = [];
      let cursor = "0";
      do {
        const [next, page] = await client.scan(cursor, "MATCH", pattern);
        found.push(...page);
        cursor = next;
      } while (cursor !== "0");
      return found;
    },
    isRefusal: (error) => (error as { code?: unknown }).code === "ERR_REDIS_SERVER_ERROR",
  };
}

describeClient("Bun.RedisClient", createAdapter);
