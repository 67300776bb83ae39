import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ServerProcess } from "../../../testkit/process.ts";
import type { Adapter } from "./adapter.ts";
import { describeClient } from "./conformance.ts";
import { python, unavailable } from "./python.ts";

/** An exception of Python. */
class PythonError extends Error {
  readonly type: string;

  constructor(type: string, text: string) {
    super(text);
    this.type = type;
  }
}

type Answer = { result: unknown } | { error: { type: string; text: string } };

/** redis_py.py, as a process that answers calls in their order. */
class PythonAdapter {
  private readonly child = Bun.spawn([python!, join(import.meta.dir, "redis_py.py")], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  private readonly waiting: ((answer: Answer) => void)[] = [];

  constructor() {
    void this.readAnswers();
  }

  async call<Result>(method: string, ...args: unknown[]): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.waiting.push(resolve);
    this.child.stdin.write(`${JSON.stringify([method, ...args])}\n`);
    this.child.stdin.flush();
    const answer = await promise;
    if ("error" in answer) throw new PythonError(answer.error.type, answer.error.text);
    return answer.result as Result;
  }

  async end(): Promise<void> {
    this.child.stdin.end();
    await this.child.exited;
  }

  private async readAnswers(): Promise<void> {
    const decoder = new TextDecoder();
    let unread = "";
    for await (const chunk of this.child.stdout) {
      const lines = (unread + decoder.decode(chunk, { stream: true })).split("\n");
      unread = lines.pop()!;
      for (const line of lines) this.waiting.shift()!(JSON.parse(line));
    }
    const ended = { type: "Ended", text: "the Python program ended" };
    for (const resolve of this.waiting.splice(0)) resolve({ error: ended });
  }
}

function createAdapter(): Adapter {
  let program: PythonAdapter;
  return {
    async connect(port) {
      program = new PythonAdapter();
      await program.call("connect", port);
    },
    async close() {
      await program.call("close");
      await program.end();
    },
    define: (name, fields) => program.call("define", name, fields),
    take: (name) => program.call("take", name),
    takeMany: (name, count) => program.call("takeMany", name, count),
    takeManyInTransaction: (name, count) => program.call("takeManyInTransaction", name, count),
    transact: (commands) => program.call("transact", commands),
    takeEach: (names) => program.call("takeEach", names),
    infoOf: (name) => program.call("infoOf", name),
    serverInfo: () => program.call("serverInfo"),
    definitionOf: (name) => program.call("definitionOf", name),
    exists: (name) => program.call("exists", name),
    remove: (names) => program.call("remove", names),
    names: (pattern) => program.call("names", pattern),
    isRefusal: (error) => error instanceof PythonError && error.type === "ResponseError",
  };
}

describeClient("redis-py", createAdapter, unavailable);

describe.skipIf(unavailable !== undefined)("redis-py reads what the server says of clients", () => {
  let server: ServerProcess;
  let program: PythonAdapter;

  beforeAll(async () => {
    server = await ServerProcess.start();
    program = new PythonAdapter();
    await program.call("connect", server.port);
  });

  afterAll(async () => {
    await program.end();
    await server.end("SIGTERM");
  });

  // It takes a field that is missing for an error.
  test("with client_info()", async () => {
    expect(await program.call("clientInfo")).toMatchObject({ id: "1", db: "0", multi: "-1" });
  });

  test("with client_list()", async () => {
    expect(await program.call("clientList")).toMatchObject([{ id: "1", user: "default" }]);
  });
});
