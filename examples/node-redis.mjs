/** Numbers with node-redis: PORT=6380 node examples/node-redis.mjs */

import { setTimeout as sleep } from "node:timers/promises";
import { createClient, ErrorReply } from "redis";

const client = createClient({ url: `redis://127.0.0.1:${process.env.PORT ?? 6380}` });
// It connects again by itself; without this a broken connection would end the program. It tries again
// after a wrong password too, without end, so that is shown.
client.on("error", (error) => {
  if (error instanceof ErrorReply) console.error(error.message);
});
await client.connect();

// Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
// pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
await client.hSet("order_id", { type: 3, starting: 1000, auto_disk: "pre_close" });
await client.hSet("invoice", { type: 2, length: 6, starting: 1, auto_disk: "elegant_close" });

/** Takes a number, and waits for one while the server is away, or cannot write. */
async function take(name) {
  for (;;) {
    try {
      return await client.get(name);
    } catch (error) {
      // Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
      const isRefused = error instanceof ErrorReply;
      if (isRefused && !/^ERR (storage|store) unavailable/.test(error.message)) throw error;
      // Where the connection broke, a number may have been on its way. Nobody else gets it: it is skipped.
      await sleep(100);
    }
  }
}

// Take. Numbers are strings: they may be larger than what a JavaScript number holds exactly.
console.log(`one: ${await take("order_id")}`);
console.log(`without gaps: ${await take("invoice")}`);

// Take many at once: in one command of all or none, or in one write, as all commands of one tick are.
console.log(`many: ${(await client.mGet(["order_id", "order_id", "order_id"])).join(", ")}`);
const results = await Promise.all([client.get("order_id"), client.get("order_id")]);
console.log(`pipelined: ${results.join(", ")}`);
const transaction = await client.multi().get("order_id").get("invoice").exec();
console.log(`in a transaction: ${transaction.join(", ")}`);

// Reconnect: here it closes its own connection, as a server that is started anew would.
const id = await client.clientId();
await client.clientKill([
  { filter: "ID", id },
  { filter: "SKIPME", skipMe: false },
]);
console.log(`connected again: ${await take("order_id")}`);

const info = await client.info("order_id");
console.log(`next: ${/^current:(.*)$/m.exec(info)[1]}`);

// Errors.
await client.hSet("one_digit", { type: 2, length: 1, starting: 9 });
await take("one_digit").catch(() => {});
for (const command of [
  () => take("nobody"),
  () => take("one_digit"),
  () => client.hSet("order_id", { step: 7 }),
  () => client.hSet("voucher", { type: 1, length: 19 }),
]) {
  await command().catch((error) => console.log(`refused: ${error.message}`));
}

await client.close();
