/** Folders for the tests, all under one that preload.ts removes at the end. */

import { cpSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const temporaryRoot = join(tmpdir(), `number-dispenser-test-${process.pid}`);

export function temporaryFolder(): string {
  mkdirSync(temporaryRoot, { recursive: true });
  return mkdtempSync(join(temporaryRoot, "folder-"));
}

export function makeFifo(path: string): void {
  if (Bun.spawnSync(["mkfifo", path]).exitCode !== 0)
    throw new Error(`there is no FIFO at ${path}`);
}

/** Copies a folder as a SIGKILL at this instant would leave it. Answers the copy's path. */
export function crashCopy(folder: string): string {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
}
