/** Numbers with ioredis: PORT=6380 bun examples/ioredis.ts */

import Redis, { ReplyError } from "ioredis";

const client = new Redis(Number(process.env.PORT ?? 6380), "127.0.0.1");

// Once, or at every start: what is defined already stays as it is.
await client.hset("order_id", { type: 3, starting: 1000, auto_disk: "pre_close" });

// Numbers are strings: they may be larger than what a JavaScript number holds exactly.
const number = await client.get("order_id");
console.log(`one: ${number}`);

const results = await client.pipeline().get("order_id").get("order_id").exec();
console.log(`pipelined: ${results!.map(([, reply]) => reply).join(", ")}`);

const transaction = await client.multi().get("order_id").get("order_id").exec();
console.log(`in a transaction: ${transaction!.map(([, reply]) => reply).join(", ")}`);

const info = await client.info("order_id");
console.log(`next: ${/^current:(.*)$/m.exec(info)![1]}`);

try {
  await client.get("nobody");
} catch (error) {
  // Any other error is one of the connection.
  if (!(error instanceof ReplyError)) throw error;
  console.log(`refused: ${(error as Error).message}`);
}

await client.quit();
