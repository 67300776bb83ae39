/** Numbers with the client that is part of Bun: PORT=6380 bun examples/bun.ts */

import { RedisClient } from "bun";

// It connects again by itself; without this it gives up for good after 20 attempts, half a minute.
const client = new RedisClient(`redis://127.0.0.1:${process.env.PORT ?? 6380}`, {
  maxRetries: 2 ** 32 - 1,
});

// Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
// pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
await client.hset("order_id", { type: "3", starting: "1000", auto_disk: "pre_close" });
await client.hset("invoice", { type: "2", length: "6", starting: "1", auto_disk: "elegant_close" });

/** Takes a number, and waits for one while the server is away, or cannot write. */
async function take(name: string): Promise<string> {
  for (;;) {
    try {
      return (await client.get(name))!;
    } catch (error) {
      // Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
      const { code, message } = error as Error & { code?: string };
      const isRefused =
        code === "ERR_REDIS_SERVER_ERROR" || code === "ERR_REDIS_AUTHENTICATION_FAILED";
      if (isRefused && !/^ERR (storage|store) unavailable/.test(message)) throw error;
      // Where the connection broke, a number may have been on its way. Nobody else gets it: it is skipped.
      await Bun.sleep(100);
    }
  }
}

// Take. Numbers are strings: they may be larger than what a JavaScript number holds exactly.
console.log(`one: ${await take("order_id")}`);
console.log(`without gaps: ${await take("invoice")}`);

// Take many at once: in one command of all or none, or in one write, as all commands of one tick are.
console.log(`many: ${(await client.mget("order_id", "order_id", "order_id")).join(", ")}`);
const results = await Promise.all([client.get("order_id"), client.get("order_id")]);
console.log(`pipelined: ${results.join(", ")}`);
const [, , , transaction] = await Promise.all([
  client.send("MULTI", []),
  client.get("order_id"),
  client.get("invoice"),
  client.send("EXEC", []),
]);
console.log(`in a transaction: ${transaction.join(", ")}`);

// Reconnect: here it closes its own connection, as a server that is started anew would.
const id: number = await client.send("CLIENT", ["ID"]);
await client.send("CLIENT", ["KILL", "ID", String(id), "SKIPME", "no"]);
console.log(`connected again: ${await take("order_id")}`);

const info: string = await client.send("INFO", ["order_id"]);
console.log(`next: ${/^current:(.*)$/m.exec(info)![1]}`);

// Errors.
await client.hset("one_digit", { type: "2", length: "1", starting: "9" });
await take("one_digit").catch(() => {});
for (const command of [
  () => take("nobody"),
  () => take("one_digit"),
  () => client.hset("order_id", { step: "7" }),
  () => client.hset("voucher", { type: "1", length: "19" }),
]) {
  await command().catch((error: Error) => console.log(`refused: ${error.message}`));
}

client.close();
