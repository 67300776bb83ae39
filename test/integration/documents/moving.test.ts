/** DEPLOYMENT, "Moving to another machine": its commands are run, from one folder to another. */

import { afterAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../testkit/process.ts";
import { Reader, startsServer } from "./reader.ts";
import { type ShellStep, stepsOf } from "./steps.ts";

const TIMEOUT_MS = 60_000;

const deployment = readFileSync(join(root, "docs/DEPLOYMENT.md"), "utf8");
const [, section] = deployment.split("\n## Moving to another machine\n");
const [, folderPart, backupPart] = section!.split("\n## ")[0]!.split("\n### ");
const commandsOf = (part: string) => stepsOf(part).map((step) => (step as ShellStep).command);
const withFolder = commandsOf(folderPart!);
const withBackup = commandsOf(backupPart!);

const readers: Reader[] = [];
afterAll(() => Promise.all(readers.map((reader) => reader.stopServer())));

/** The old machine, with a line that has handed out 5 numbers, and the new one. */
async function machines(): Promise<[Reader, Reader]> {
  const [old, next] = [new Reader(), new Reader()];
  readers.push(old, next);
  await old.startServer("number-dispenser -data ./data");
  await run(old, "redis-cli -p 6380 HSET invoice type 3 starting 1");
  await run(old, "redis-cli -p 6380 MGET invoice invoice invoice invoice invoice");
  return [old, next];
}

async function run(reader: Reader, command: string): Promise<string> {
  if (startsServer.test(command)) return reader.startServer(command).then(() => "");
  const { output, status } = await reader.run(command);
  expect([command, status, output]).toEqual([command, 0, expect.anything()]);
  return output;
}

/** Runs commands up to the one that makes this file, and carries it to the new machine. */
async function follow(old: Reader, next: Reader, commands: readonly string[], file: string) {
  for (const command of commands) {
    const isThere = existsSync(join(old.folder, file));
    await run(isThere && !command.includes("SHUTDOWN") ? next : old, command);
    if (existsSync(join(old.folder, file))) {
      copyFileSync(join(old.folder, file), join(next.folder, file));
    }
  }
}

const GET = "redis-cli -p 6380 GET invoice";

test(
  "with the folder, after a clean stop",
  async () => {
    const [old, next] = await machines();
    await follow(old, next, withFolder, "numbers.tar");
    expect(await run(next, GET)).toBe('"6"');
    expect(existsSync(join(old.folder, "data"))).toBe(false);
  },
  TIMEOUT_MS,
);

test(
  "with the folder and its log, after a crash",
  async () => {
    const [old, next] = await machines();
    const [shutdown, ...others] = withFolder;
    expect(shutdown).toContain("SHUTDOWN");
    await old.killServer();
    await follow(old, next, others, "numbers.tar");
    expect(await run(next, GET)).toBe('"6"');
  },
  TIMEOUT_MS,
);

test(
  "with a backup, and a margin over what was handed out after it",
  async () => {
    const [old, next] = await machines();
    await follow(old, next, withBackup, "numbers.db");
    await run(next, "number-dispenser -data ./data");
    expect(await run(next, GET)).toBe('"100006"');
  },
  TIMEOUT_MS,
);
