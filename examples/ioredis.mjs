/** Numbers with ioredis: PORT=6380 node examples/ioredis.mjs */

import { setTimeout as sleep } from "node:timers/promises";
import Redis, { ReplyError } from "ioredis";

const client = new Redis(Number(process.env.PORT ?? 6380), "127.0.0.1");
// It connects again by itself; without this it would print every failure.
client.on("error", () => {});

// Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
// pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
await client.hset("order_id", { type: 3, starting: 1000, auto_disk: "pre_close" });
await client.hset("invoice", { type: 2, length: 6, starting: 1, auto_disk: "elegant_close" });

/** Takes a number, and waits for one while the server is away, or cannot write. */
async function take(name) {
  for (;;) {
    try {
      return await client.get(name);
    } catch (error) {
      // Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
      const isRefused = error instanceof ReplyError;
      if (isRefused && !/^ERR (storage|store) unavailable/.test(error.message)) throw error;
      // Where the connection broke, a number may have been on its way. Nobody else gets it: it is skipped.
      await sleep(100);
    }
  }
}

// Take. Numbers are strings: they may be larger than what a JavaScript number holds exactly.
console.log(`one: ${await take("order_id")}`);
console.log(`without gaps: ${await take("invoice")}`);

// Take many at once: in one command of all or none, or in one write.
console.log(`many: ${(await client.mget("order_id", "order_id", "order_id")).join(", ")}`);
const results = await client.pipeline().get("order_id").get("order_id").exec();
console.log(`pipelined: ${results.map(([, reply]) => reply).join(", ")}`);
const transaction = await client.multi().get("order_id").get("invoice").exec();
console.log(`in a transaction: ${transaction.map(([, reply]) => reply).join(", ")}`);

// Reconnect: here it closes its own connection, as a server that is started anew would.
await client.call("CLIENT", "KILL", "ID", await client.client("ID"), "SKIPME", "no");
console.log(`connected again: ${await take("order_id")}`);

const info = await client.info("order_id");
console.log(`next: ${/^current:(.*)$/m.exec(info)[1]}`);

// Errors.
await client.hset("one_digit", { type: 2, length: 1, starting: 9 });
await take("one_digit").catch(() => {});
for (const command of [
  () => take("nobody"),
  () => take("one_digit"),
  () => client.hset("order_id", { step: 7 }),
  () => client.hset("voucher", { type: 1, length: 19 }),
]) {
  await command().catch((error) => console.log(`refused: ${error.message}`));
}

await client.quit();
