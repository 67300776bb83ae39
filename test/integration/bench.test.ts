import { expect, test } from "bun:test";
import { join } from "node:path";
import { root } from "../../testkit/process.ts";

const TIMEOUT_MS = 60_000;

const hasRedis = Bun.which("redis-server") !== null;
if (!hasRedis) console.warn("bench/compare is not run: this machine has no redis-server.");
const benches = ["backup", "cluster", "isolation", "micro", "scale", "waste"];

/** Small runs: they check their bounds, and write no file of the documentation. */
test.each(hasRedis ? [...benches, "compare"] : benches)(
  "bench/%s runs",
  async (bench) => {
    const child = Bun.spawn([process.execPath, join(root, `bench/${bench}/main.ts`)], {
      env: { ...process.env, BENCH_SMALL: "1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [status, errors] = await Promise.all([child.exited, child.stderr.text()]);
    expect([status, errors]).toEqual([0, ""]);
  },
  TIMEOUT_MS,
);
