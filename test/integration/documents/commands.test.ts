/** The commands of the documents that a newcomer follows are run as they stand there, on a copy of this folder. */

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { endOnExit, fromSource, root } from "../../../testkit/process.ts";
import { patternOf, type Step, stepsOf } from "./steps.ts";

const TIMEOUT_MS = 120_000;

/** What is not run here, and why. */
const notRun: readonly [pattern: RegExp, reason: string][] = [
  [/run test$/, "it is what runs this"],
  [/@db:5432|etcd1:/, "a store with this name is the reader's own"],
];

/** Starts a server, and stays. */
const startsServer = /^(npx --yes bun@[\d.]+|bun) run server$/;

/** A folder and an environment as a reader has them, with a port of its own in place of 6380. */
class Reader {
  private readonly port = freePort();
  private readonly folder = join(temporaryFolder(), "number-dispenser");
  private readonly env: Record<string, string | undefined>;
  private server: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;

  constructor() {
    const left = ["node_modules", ".git", "data", "dist", "coverage"];
    cpSync(root, this.folder, {
      recursive: true,
      // Another test builds the binary here meanwhile, by way of files that vanish.
      filter: (path) =>
        path === root || !(left.includes(basename(path)) || path.endsWith(".bun-build")),
    });
    const programs = join(this.folder, "../programs");
    mkdirSync(programs);
    const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
    const shims = {
      "number-dispenser": quoted(fromSource),
      // As on a terminal.
      "redis-cli": `'${Bun.which("redis-cli")}' --no-raw`,
      bun: `'${process.execPath}'`,
    };
    for (const [name, command] of Object.entries(shims)) {
      writeFileSync(join(programs, name), `#!/bin/sh\nexec ${command} "$@"\n`);
      chmodSync(join(programs, name), 0o755);
    }
    this.env = {
      ...process.env,
      PATH: `${programs}:${process.env.PATH}`,
      NUMBER_DISPENSER_ADDR: `127.0.0.1:${this.port}`,
    };
  }

  /** The command with this reader's port. */
  private own(command: string): string {
    return command.replaceAll("6380", String(this.port));
  }

  async startServer(command: string): Promise<void> {
    await this.stopServer();
    const server = Bun.spawn(["sh", "-c", `exec ${command}`], {
      cwd: this.folder,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    endOnExit(server);
    this.server = server;
    let log = "";
    for await (const chunk of server.stderr) {
      log += Buffer.from(chunk).toString();
      if (/ ready /.test(log)) return;
    }
    throw new Error(`${command} ended:\n${log}`);
  }

  /** npx passes no signal on: the server is asked. */
  async stopServer(): Promise<void> {
    if (this.server === undefined) return;
    Bun.spawnSync(["redis-cli", "-p", String(this.port), "SHUTDOWN"], { stderr: "ignore" });
    await this.server.exited;
    this.server = undefined;
  }

  /** What a command prints on both streams, and its exit status. */
  async run(command: string, input = ""): Promise<{ output: string; status: number }> {
    const child = Bun.spawn(["sh", "-c", `{ ${this.own(command)}\n} 2>&1`], {
      cwd: this.folder,
      env: this.env,
      stdin: new Blob([input]),
      stdout: "pipe",
    });
    const output = (await child.stdout.text()).replaceAll("\r\n", "\n").trimEnd();
    return { output, status: await child.exited };
  }
}

async function follow(reader: Reader, step: Step): Promise<void> {
  if (step.kind === "session") {
    const typed = `${step.commands.join("\n")}\n`;
    const { output, status } = await reader.run("redis-cli -p 6380", typed);
    expect(status).toBe(0);
    expect(output).toMatch(patternOf(step.output));
    return;
  }
  const { command } = step;
  if (startsServer.test(command)) return reader.startServer(command);
  const { output, status } = await reader.run(command);
  expect([command, status, output]).toEqual([command, 0, expect.anything()]);
  expect(output).not.toMatch(/^\(error\)/m);
  if (step.output !== undefined) expect(output).toMatch(patternOf(step.output));
}

const textOf = (document: string) => readFileSync(join(root, document), "utf8");
const hasNpx = Bun.which("npx") !== null;
if (!hasNpx)
  console.warn("skipped: the commands of the documents begin with npx, which is not here");

describe.skipIf(!hasNpx)("a reader who follows", () => {
  const readers: Reader[] = [];
  afterAll(() => Promise.all(readers.map((reader) => reader.stopServer())));

  test.each(["README.md", "docs/QUICKSTART.md", "docs/COMMANDS.md", "docs/OPERATING.md"])(
    "%s gets what it shows",
    async (document) => {
      const reader = new Reader();
      readers.push(reader);
      const steps = stepsOf(textOf(document));
      // COMMANDS has none of its own.
      if (document === "docs/COMMANDS.md") await reader.startServer("bun run server");
      const skipped: string[] = [];
      let commands = 0;
      for (const step of steps) {
        const reason =
          step.kind === "shell" && notRun.find(([pattern]) => pattern.test(step.command))?.[1];
        if (reason) skipped.push(reason);
        else {
          await follow(reader, step);
          commands += step.kind === "session" ? step.commands.length : 1;
        }
      }
      await reader.stopServer();
      console.log(`${document}: ${commands} commands run, ${skipped.length} not`);
      for (const reason of skipped) console.log(`  not run: ${reason}`);
      expect(commands).toBeGreaterThan(10);
      expect(skipped.length).toBeLessThan(4);
    },
    TIMEOUT_MS,
  );
});

test("the README in Chinese shows the same commands, tables and links as that in English", () => {
  const [english, chinese] = ["README.md", "README.zh-CN.md"].map(textOf) as [string, string];
  expect(stepsOf(chinese)).toEqual(stepsOf(english));
  const linksOf = (text: string) =>
    [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!).sort();
  const others = (links: string[]) => links.filter((link) => !link.startsWith("README"));
  expect(others(linksOf(chinese))).toEqual(others(linksOf(english)));
  const shape = (text: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("|") || line.startsWith("#"))
      .map((line) => (line.startsWith("#") ? line.split(" ")[0] : line.split("|").length));
  expect(shape(chinese)).toEqual(shape(english));
  const figures = (text: string) => text.match(/\d+\.\d\d(?=[,\s|])/g);
  expect(figures(chinese)).toEqual(figures(english));
});
