/** The example programs do what they show, run after run. */

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { RedisClient } from "bun";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { root, ServerProcess } from "../../../testkit/process.ts";
import { python, unavailable } from "./python.ts";

const server = await ServerProcess.start();
const client = new RedisClient(`redis://127.0.0.1:${server.port}`);

/** The next example begins anew: as if nothing had been handed out. */
afterEach(async () => {
  for (const name of ["order_id", "invoice", "one_digit"]) {
    await client.del(name);
    await client.hset(name, { type: 3, reuse: "yes" });
    await client.del(name);
  }
});

afterAll(async () => {
  client.close();
  await server.end("SIGTERM");
});

/** What an example prints when it is run for the first time, and the second; `code` is how errors start. */
function outputOf(repetition: number, code: string): string {
  const order = (k: number) => 1000 + 8 * repetition + k;
  const invoice = (k: number) => `00000${1 + 2 * repetition + k}`;
  return [
    `one: ${order(0)}`,
    `without gaps: ${invoice(0)}`,
    `many: ${order(1)}, ${order(2)}, ${order(3)}`,
    `pipelined: ${order(4)}, ${order(5)}`,
    `in a transaction: ${order(6)}, ${invoice(1)}`,
    `connected again: ${order(7)}`,
    `next: ${order(8)}`,
    `refused: ${code}dispenser not found: 'nobody'`,
    `refused: ${code}number range exhausted: 'one_digit'`,
    `refused: ${code}cannot change 'step' of 'order_id': its numbers are in use. Define another name`,
    `refused: ${code}invalid length '19': must be a whole number from 1 to 18`,
    "",
  ].join("\n");
}

async function run(command: string[], cwd = root) {
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, PORT: String(server.port) },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { output, errors, status: await child.exited };
}

/** Runs it twice: the second run goes on where the first ended. */
async function check(command: string[], code = "ERR "): Promise<void> {
  for (const repetition of [0, 1]) {
    const output = outputOf(repetition, code);
    expect(await run(command)).toEqual({ output, errors: "", status: 0 });
  }
}

const example = (file: string) => join(root, "examples", file);

/** Why the example of a client that nothing here installs is skipped: said once; undefined where it runs. */
function reasonWithout(program: string, packageName: string, variable: string, use: string) {
  let reason: string | undefined;
  if (Bun.which(program) === null) {
    reason = `${program} is not installed (apt-get install ${packageName})`;
  } else if (!process.env[variable]) {
    reason = `${variable} does not say ${use}`;
  }
  if (reason !== undefined) console.warn(`skipped: ${reason}`);
  return reason;
}

const noGo = reasonWithout("go", "golang-go", "GOPROXY", "where go gets go-redis");
const noJedis = reasonWithout(
  "java",
  "default-jdk-headless",
  "JEDIS_CLASSPATH",
  "where java finds Jedis and what it needs",
);

describe("the example of", () => {
  test("bun.ts", () => check([process.execPath, example("bun.ts")]));

  // On plain Node where there is one, as most programs are.
  test.each(["ioredis.mjs", "node-redis.mjs"])("%s", (file) =>
    check([Bun.which("node") ?? process.execPath, example(file)]),
  );

  test("redis-cli.sh", () => check(["sh", example("redis-cli.sh")]));

  test.skipIf(unavailable !== undefined)("redis_py.py", () =>
    // redis-py takes the code away from the error's text.
    check([python!, example("redis_py.py")], ""),
  );

  test.skipIf(noGo !== undefined)(
    "go/main.go",
    async () => {
      // In a copy: go adds the checksums of what it got.
      const folder = temporaryFolder();
      cpSync(example("go"), folder, { recursive: true });
      const build = await run(["go", "build", "-mod=mod", "-o", "example", "."], folder);
      expect(build.status, build.errors).toBe(0);
      await check([join(folder, "example")]);
    },
    // Its first build compiles the standard library.
    300_000,
  );

  test.skipIf(noJedis !== undefined)("Jedis.java", () =>
    check(["java", "-cp", process.env.JEDIS_CLASSPATH!, example("Jedis.java")]),
  );
});
