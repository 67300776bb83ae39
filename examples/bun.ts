/** Numbers with the client that is part of Bun: PORT=6380 bun examples/bun.ts */

import { RedisClient } from "bun";

const client = new RedisClient(`redis://127.0.0.1:${process.env.PORT ?? 6380}`);

// Once, or at every start: what is defined already stays as it is.
await client.hset("order_id", { type: "3", starting: "1000", auto_disk: "pre_close" });

// Numbers are strings: they may be larger than what a JavaScript number holds exactly.
const number = await client.get("order_id");
console.log(`one: ${number}`);

// Commands of one tick are pipelined.
const numbers = await Promise.all([client.get("order_id"), client.get("order_id")]);
console.log(`pipelined: ${numbers.join(", ")}`);

const [, , , transaction] = await Promise.all([
  client.send("MULTI", []),
  client.get("order_id"),
  client.get("order_id"),
  client.send("EXEC", []),
]);
console.log(`in a transaction: ${transaction.join(", ")}`);

const info: string = await client.send("INFO", ["order_id"]);
console.log(`next: ${/^current:(.*)$/m.exec(info)![1]}`);

try {
  await client.get("nobody");
} catch (error) {
  // Any other error is one of the connection.
  if ((error as { code?: string }).code !== "ERR_REDIS_SERVER_ERROR") throw error;
  console.log(`refused: ${(error as Error).message}`);
}

client.close();
