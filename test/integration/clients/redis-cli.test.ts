/** redis-cli, one command at a time and in its modes. What it does on a terminal: terminal.test.ts. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ServerProcess } from "../../../testkit/process.ts";
import { fieldsOf } from "./adapter.ts";

const server = await ServerProcess.start();
afterAll(() => server.end("SIGTERM"));

/** Runs it with its output redirected, as in a script. */
async function cli(words: readonly string[], input = "") {
  const child = Bun.spawn(["redis-cli", "-p", String(server.port), ...words], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { output, errors, status: await child.exited };
}

/** The output alone, where nothing is to go wrong. */
async function shown(...words: string[]): Promise<string> {
  const { output, errors, status } = await cli(words);
  expect([errors, status]).toEqual(["", 0]);
  return output.trimEnd();
}

beforeAll(async () => {
  await shown("HSET", "order", "type", "3", "starting", "9007199254740993");
});

describe("redis-cli runs one command", () => {
  test("in RESP2, in RESP3 and by a URL", async () => {
    expect(await shown("GET", "order")).toBe("9007199254740993");
    expect(await shown("-2", "GET", "order")).toBe("9007199254740994");
    expect(await shown("-3", "GET", "order")).toBe("9007199254740995");
    const url = `redis://127.0.0.1:${server.port}`;
    expect(await shown("-u", url, "GET", "order")).toBe("9007199254740996");
    expect(await shown("-u", `${url}/0`, "GET", "order")).toBe("9007199254740997");
  });

  test("and shows errors, in its exit status too where it is told to", async () => {
    expect(await shown("GET", "nobody")).toBe("ERR dispenser not found: 'nobody'");
    const { errors, status } = await cli(["-e", "GET", "nobody"]);
    expect([errors.trimEnd(), status]).toEqual(["ERR dispenser not found: 'nobody'", 1]);
  });

  test("whose last word is its input", async () => {
    expect(await cli(["-x", "ECHO"], "a word")).toMatchObject({ output: "a word\n" });
    expect((await cli(["-x", "GET"], "nobody")).output).toBe(
      "ERR dispenser not found: 'nobody'\n\n",
    );
  });

  test("several times", async () => {
    await shown("HSET", "repeated", "type", "3");
    expect(await shown("-r", "3", "GET", "repeated")).toBe("0\n1\n2");
    expect(await shown("-r", "3", "-i", "0.01", "GET", "repeated")).toBe("3\n4\n5");
  });

  test("and shows maps and verbatim text of RESP3", async () => {
    await shown("HSET", "mapped", "type", "2", "length", "4", "starting", "7");
    expect(await shown("-3", "--no-raw", "HGETALL", "mapped")).toBe(
      [
        '1# "type" => "2"',
        '2# "length" => "4"',
        '3# "starting" => "7"',
        '4# "step" => "1"',
        '5# "auto_disk" => "elegant_close"',
      ].join("\n"),
    );
    const verbatim = fieldsOf(await shown("-3", "INFO", "mapped"));
    expect(verbatim).toMatchObject({ name: "mapped", current: "0007", generated: "0" });
    expect(fieldsOf(await shown("-2", "INFO", "mapped"))).toEqual(verbatim);
    expect(fieldsOf(await shown("-3", "INFO"))).toMatchObject({ tcp_port: String(server.port) });
  });

  test("as CSV and as JSON", async () => {
    await shown("HSET", "table", "type", "2", "length", "3");
    expect(await shown("--csv", "MGET", "table", "table")).toBe('"000","001"');
    expect(await shown("--csv", "GET", "nobody")).toBe(`ERROR,"ERR dispenser not found: 'nobody'"`);
    const definition = { type: "2", length: "3", starting: "0", step: "1" };
    expect(JSON.parse(await shown("--json", "HGETALL", "table"))).toMatchObject(definition);
    expect(JSON.parse(await shown("--json", "MGET", "table", "table"))).toEqual(["002", "003"]);
  });
});

describe("redis-cli runs what it reads", () => {
  test("line by line, a transaction too", async () => {
    await shown("HSET", "read", "type", "3");
    const { output } = await cli([], "GET read\nMULTI\nGET read\nGET read\nEXEC\nGET read\n");
    expect(output).toBe("0\nOK\nQUEUED\nQUEUED\n1\n2\n3\n");
  });

  test("all at once with --pipe, inline and in the protocol", async () => {
    await shown("HSET", "piped", "type", "3");
    const inProtocol = "*2\r\n$3\r\nGET\r\n$5\r\npiped\r\n".repeat(500);
    const input = `${inProtocol}${"GET piped\r\n".repeat(500)}`;
    const { output, status } = await cli(["--pipe"], input);
    expect([output.trimEnd().split("\n").at(-1), status]).toEqual(["errors: 0, replies: 1000", 0]);
    expect(await shown("GET", "piped")).toBe("1000");
  });

  test("and counts the errors of --pipe", async () => {
    const { output, status } = await cli(["--pipe"], "PING\r\nGET nobody\r\nPING\r\n");
    expect([output.trimEnd().split("\n").at(-1), status]).toEqual(["errors: 1, replies: 3", 1]);
  });
});

describe("redis-cli looks at the server", () => {
  test("and lists names, of a pattern too", async () => {
    const names = Array.from({ length: 30 }, (_, k) => `scanned:${k}`);
    await cli(["--pipe"], names.map((name) => `HSET ${name} type 3\r\n`).join(""));
    const found = (await shown("--scan", "--pattern", "scanned:*")).split("\n");
    expect(found.sort()).toEqual([...names].sort());
    expect((await shown("--scan", "--pattern", "scanned:1?")).split("\n")).toHaveLength(10);
    const every = (await shown("--scan")).split("\n");
    expect(every).toHaveLength(Number(await shown("DBSIZE")));
    expect(every).toEqual(expect.arrayContaining(names));
  });

  test("and measures its latency, for scripts: minimum, maximum, average, samples", async () => {
    for (const format of [[], ["--raw"]]) {
      const figures = await shown(...format, "--latency", "-i", "0.1");
      const [, ...numbers] = /^(\d+) (\d+) (\d+\.\d\d) (\d+)$/.exec(figures) ?? [];
      const [minimum, maximum, average, samples] = numbers.map(Number);
      expect(samples).toBeGreaterThan(0);
      expect(average).toBeGreaterThanOrEqual(minimum!);
      expect(average).toBeLessThanOrEqual(maximum!);
    }
    expect(await shown("--csv", "--latency", "-i", "0.1")).toMatch(/^\d+,\d+,\d+\.\d\d,\d+$/);
  });
});
