/**
 * Well-behaved clients in a process of their own. One takes numbers, one at a time, by turns of a
 * line that reserves ahead and of a durable one; now and then another one connects, logs in, takes a
 * number and leaves. When the input ends, it prints how long all of that took, in milliseconds. Run
 * with a port, the password (or nothing), and whether others can connect.
 */

import { TestClient } from "../../../testkit/resp.ts";

const [port, password, admits] = process.argv.slice(2);
/** So many GETs pass between two clients that come. */
const GETS_PER_ARRIVAL = 20;

async function connected(): Promise<TestClient> {
  const client = await TestClient.connect(Number(port));
  if (password === "") return client;
  const reply = await client.command("AUTH", password!);
  if (reply !== "OK") throw new Error(`the right password was answered ${String(reply)}`);
  return client;
}

const client = await connected();
const names = ["probe", "durable"] as const;
const waits: number[][] = [[], []];
const arrivals: number[] = [];
const last = [-1, -1];
let isOver = false;
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();

for (let turn = 0; !isOver; turn = 1 - turn) {
  const began = performance.now();
  const reply = await client.command("GET", names[turn]!);
  waits[turn]!.push(performance.now() - began);
  if (!(Number(reply) > last[turn]!)) throw new Error(`after ${last[turn]} came ${String(reply)}`);
  last[turn] = Number(reply);
  if (admits === "true" && waits[0]!.length % GETS_PER_ARRIVAL === 0 && turn === 0) await arrive();
}

/** A client that comes, takes a number and leaves. */
async function arrive(): Promise<void> {
  const began = performance.now();
  const other = await connected();
  const reply = await other.command("GET", "quick");
  arrivals.push(performance.now() - began);
  if (!(Number(reply) >= 0)) throw new Error(`a client that came was answered ${String(reply)}`);
  other.close();
}

const figures = [...waits, arrivals].map((each) => {
  each.sort((a, b) => a - b);
  return {
    count: each.length,
    p99: each[Math.floor(each.length * 0.99)] ?? 0,
    max: each.at(-1) ?? 0,
  };
});
console.log(JSON.stringify({ ahead: figures[0], durable: figures[1], arrivals: figures[2] }));
process.exit(0);
