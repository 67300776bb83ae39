/**
 * A process whose wall clock is another than the machine's (libfaketime), and is set while it runs.
 * Its other clocks are the machine's.
 */

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { temporaryFolder } from "../../testkit/folder.ts";

const LIBRARY = [...new Glob("*/faketime/libfaketime.so.1").scanSync("/usr/lib")][0];

export const hasFaketime = LIBRARY !== undefined;

export class WallClock {
  private readonly file = join(temporaryFolder(), "time");

  /** The environment of a process with this clock. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: join("/usr/lib", LIBRARY!),
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      TZ: "UTC",
    };
  }

  /** From now on it is this time, as `2026-11-30T23:59:58Z`, and goes on from there. */
  set(time: string): void {
    const text = new Date(time)
      .toISOString()
      .replace("T", " ")
      .slice(0, "yyyy-MM-dd HH:mm:ss".length);
    // Whole or not at all: the process may read it at any moment.
    writeFileSync(`${this.file}.new`, `@${text}`);
    renameSync(`${this.file}.new`, this.file);
  }
}
