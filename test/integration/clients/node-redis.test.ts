import { createClient, ErrorReply } from "redis";
import { type Adapter, fieldsOf, numeral } from "./adapter.ts";
import { describeClient } from "./conformance.ts";

function createAdapter(RESP: 2 | 3): Adapter {
  let client: ReturnType<typeof createClient>;
  return {
    async connect(port) {
      client = createClient({ url: `redis://127.0.0.1:${port}`, RESP }) as typeof client;
      // It reports each attempt to connect that failed, and tries again.
      client.on("error", () => {});
      await client.connect();
    },
    close: () => client.close(),
    define: (name, fields) => client.hSet(name, fields),
    take: async (name) => numeral(await client.get(name)),
    // Commands of one tick are sent together.
    takeMany: async (name, count) =>
      (await Promise.all(Array.from({ length: count }, () => client.get(name)))).map(numeral),
    async takeManyInTransaction(name, count) {
      const transaction = client.multi();
      for (let k = 0; k < count; k++) transaction.get(name);
      return (await transaction.exec()).map(numeral);
    },
    async transact(commands) {
      const transaction = client.multi();
      for (const command of commands) transaction.addCommand([...command]);
      return await transaction.exec();
    },
    takeEach: async (names) => (await client.mGet([...names])).map(numeral),
    infoOf: async (name) => fieldsOf(await client.info(name)),
    serverInfo: async () => fieldsOf(await client.info()),
    // Its objects have no prototype, which toEqual() takes for a difference.
    definitionOf: async (name) => ({ ...(await client.hGetAll(name)) }),
    exists: async (name) => (await client.exists(name)) === 1,
    remove: (names) => client.del([...names]),
    async names(pattern) {
      const found: string[] = [];
      for await (const page of client.scanIterator({ MATCH: pattern })) found.push(...page);
      return found;
    },
    isRefusal: (error) => error instanceof ErrorReply,
  };
}

describeClient("node-redis with RESP 2", () => createAdapter(2));
describeClient("node-redis with RESP 3", () => createAdapter(3));
