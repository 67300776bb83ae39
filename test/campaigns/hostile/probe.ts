/**
 * A well-behaved client in a process of its own: takes numbers one at a time, by turns of a line
 * that reserves ahead and of a durable one, until its input ends; then prints how long that took,
 * in milliseconds. Run with a port, and the password if there is one.
 */

import { TestClient } from "../../../testkit/resp.ts";

const [port, password] = process.argv.slice(2);
const client = await TestClient.connect(Number(port));
if (password !== undefined) await client.command("AUTH", password);
const names = ["probe", "durable"] as const;
const waits: number[][] = [[], []];
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
}
const figures = waits.map((each) => {
  each.sort((a, b) => a - b);
  return { count: each.length, p99: each[Math.floor(each.length * 0.99)]!, max: each.at(-1)! };
});
console.log(JSON.stringify({ ahead: figures[0], durable: figures[1] }));
process.exit(0);
