/** Numbers with node-redis: PORT=6380 bun examples/node-redis.ts */

import { createClient, ErrorReply } from "redis";

const client = createClient({ url: `redis://127.0.0.1:${process.env.PORT ?? 6380}` });
client.on("error", (error) => console.error(`connection: ${error.message}`));
await client.connect();

// Once, or at every start: what is defined already stays as it is.
await client.hSet("order_id", { type: 3, starting: 1000, auto_disk: "pre_close" });

// Numbers are strings: they may be larger than what a JavaScript number holds exactly.
const number = await client.get("order_id");
console.log(`one: ${number}`);

// Commands of one tick are pipelined.
const numbers = await Promise.all([client.get("order_id"), client.get("order_id")]);
console.log(`pipelined: ${numbers.join(", ")}`);

const transaction = await client.multi().get("order_id").get("order_id").exec();
console.log(`in a transaction: ${transaction.join(", ")}`);

const info = await client.info("order_id");
console.log(`next: ${/^current:(.*)$/m.exec(info)![1]}`);

try {
  await client.get("nobody");
} catch (error) {
  // Any other error is one of the connection.
  if (!(error instanceof ErrorReply)) throw error;
  console.log(`refused: ${error.message}`);
}

await client.close();
