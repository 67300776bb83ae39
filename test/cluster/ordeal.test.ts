import { expect, test } from "bun:test";
import { findPostgres } from "../support/postgres.ts";
import { RealEtcd, RealPostgres, type RealStore } from "./fleet.ts";
import { Ordeal } from "./ordeal.ts";

/** Short ones; `bun run cluster` runs long ones. CLUSTER_SEED replays the choices of a failure. */
const SECONDS = 8;
const PAUSE_MS = 1500;
const SEED = Number(process.env.CLUSTER_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 90_000;

const stores: [title: string, isInstalled: boolean, open: () => RealStore][] = [
  ["PostgreSQL", findPostgres() !== undefined, () => new RealPostgres()],
  ["etcd", Bun.which("etcd") !== null, () => new RealEtcd()],
];

for (const [title, isInstalled, open] of stores) {
  const what = `three nodes on ${title}, killed, stopped and cut off, repeat nothing (seed ${SEED})`;
  if (!isInstalled) {
    test.skip(`${what}: ${title} is not installed`, () => {});
    continue;
  }
  test(
    what,
    async () => {
      const lines: string[] = [];
      const options = { seed: SEED, seconds: SECONDS, pauseMs: PAUSE_MS };
      const ordeal = new Ordeal({
        ...options,
        store: open(),
        say: (line) => void lines.push(line),
      });
      expect(await ordeal.run()).toBeGreaterThan(1000);
      expect(lines).toHaveLength(5);
    },
    TIMEOUT_MS,
  );
}
