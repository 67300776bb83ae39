/**
 * `bun scripts/run.ts [--production] PROGRAM [ARGUMENT …]`: installs the dependencies that bun.lock names, as far
 * as they are missing, and becomes the program. PROGRAM is a file of TypeScript, which Bun runs; `bun` itself; or
 * one of node_modules/.bin. The scripts of package.json begin with it, in a clone without node_modules as well: it
 * may import nothing but what Bun brings.
 */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
const bun = process.execPath;

const isProduction = process.argv[2] === "--production";
const [program, ...args] = process.argv.slice(isProduction ? 3 : 2);
if (program === undefined) {
  console.error("usage: bun scripts/run.ts [--production] PROGRAM [ARGUMENT …]");
  process.exit(2);
}

const install = ["install", "--frozen-lockfile", "--no-summary", "--no-progress"];
const { exitCode, signalCode } = Bun.spawnSync(
  [bun, ...install, ...(isProduction ? ["--production"] : [])],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
);
if (exitCode !== 0 || signalCode) process.exit(exitCode || 1);

/** The file to execute and its arguments, of which the first is its own name. */
function commandOf(name: string): [file: string, words: string[]] {
  if (name.endsWith(".ts")) return [bun, [bun, join(root, name)]];
  if (name === "bun") return [bun, [bun]];
  const file = join(root, "node_modules/.bin", name);
  if (existsSync(file)) return [file, [file]];
  console.error(`${name} is neither a file of TypeScript nor a program of node_modules`);
  process.exit(2);
}

// In place of this process: its id, its signals and its exit status are the program's.
const [file, words] = commandOf(program);
process.execve!(file, [...words, ...args], process.env as Record<string, string>);
