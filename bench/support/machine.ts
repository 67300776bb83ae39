/** Describes the machine that the figures were measured on. */

import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { median } from "./figures.ts";
import { markdownTable } from "./page.ts";

const SYNCS = 101;
const SYNCED_BYTES = 4096;

/** The table of the machine; `folder` holds the data of the servers. */
export function describeMachine(folder: string): string {
  return markdownTable(
    ["part", "what"],
    [
      ["processor", `${processor()}, ${cpus().length} cores`],
      ["memory", `${Math.round(totalmem() / 2 ** 30)} GiB`],
      ["kernel", `${type()} ${release()}`],
      ["Bun", Bun.version],
      ["redis-server", redisVersion()],
      ["one fsync of 4 KiB, median", `${syncMs(folder).toFixed(3)} ms`],
      ["measured on", new Date().toISOString().slice(0, 10)],
    ],
  );
}

function processor(): string {
  try {
    const name = /^model name\s*:\s*(.+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    return name?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
}

function redisVersion(): string {
  if (Bun.which("redis-server") === null) return "not there";
  const text = Bun.spawnSync(["redis-server", "--version"]).stdout.toString();
  return /v=(\S+)/.exec(text)?.[1] ?? "unknown";
}

/** The median time that it takes to append a page to a file of this folder and sync it. */
function syncMs(folder: string): number {
  const path = join(folder, "synced");
  const file = openSync(path, "w");
  const page = Buffer.alloc(SYNCED_BYTES, 1);
  const times = Array.from({ length: SYNCS }, () => {
    writeSync(file, page);
    const began = performance.now();
    fsyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  rmSync(path);
  return median(times);
}
