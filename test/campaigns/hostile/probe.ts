/**
 * A well-behaved client in a process of its own: takes numbers one at a time until its input ends,
 * then prints how long that took, in milliseconds. Run with a port.
 */

import { TestClient } from "../../../testkit/resp.ts";

const client = await TestClient.connect(Number(process.argv[2]));
const waits: number[] = [];
let isOver = false;
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();

let next = -1;
while (!isOver) {
  const began = performance.now();
  const reply = await client.command("GET", "probe");
  waits.push(performance.now() - began);
  if (Number(reply) <= next) throw new Error(`after ${next} came ${reply}`);
  next = Number(reply);
}
waits.sort((a, b) => a - b);
const p99 = waits[Math.floor(waits.length * 0.99)]!;
console.log(JSON.stringify({ count: waits.length, p99, max: waits.at(-1) }));
process.exit(0);
