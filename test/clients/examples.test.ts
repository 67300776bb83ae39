/** The example programs do what they show, run after run. */

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { RedisClient } from "bun";
import { root, ServerProcess } from "../support/server.ts";
import { python, unavailable } from "./python.ts";

const server = await ServerProcess.start();
const client = new RedisClient(`redis://127.0.0.1:${server.port}`);

afterEach(() => client.del("order_id"));

afterAll(async () => {
  client.close();
  await server.end("SIGTERM");
});

/** What an example prints whose first number is this one. */
function outputFrom(first: number, refusal: string): string {
  const [a, b, c, d, next] = [1, 2, 3, 4, 5].map((k) => first + k);
  return [
    `one: ${first}`,
    `pipelined: ${a}, ${b}`,
    `in a transaction: ${c}, ${d}`,
    `next: ${next}`,
    `refused: ${refusal}`,
    "",
  ].join("\n");
}

async function run(program: string, file: string) {
  const child = Bun.spawn([program, join(root, "examples", file)], {
    env: { ...process.env, PORT: String(server.port) },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { output, errors, status: await child.exited };
}

/** Runs it twice: the second run goes on where the first ended. */
async function check(program: string, file: string, refusal: string): Promise<void> {
  for (const first of [1000, 1005]) {
    const output = outputFrom(first, refusal);
    expect(await run(program, file)).toEqual({ output, errors: "", status: 0 });
  }
}

describe("the example of", () => {
  test.each(["ioredis.ts", "node-redis.ts", "bun.ts"])("%s", (file) =>
    check(process.execPath, file, "ERR dispenser not found"),
  );

  test.skipIf(unavailable !== undefined)("redis_py.py", () =>
    // redis-py takes the code away from the error's text.
    check(python!, "redis_py.py", "dispenser not found"),
  );
});
