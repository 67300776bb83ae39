import { expect, test } from "bun:test";
import { noEtcdctl, noPostgres } from "../../support/installed.ts";
import { Ordeal } from "./chaos.ts";
import { RealEtcd, RealPostgres, type RealStore } from "./fleet.ts";

/** Short ones; `bun run cluster` runs long ones. CLUSTER_SEED replays the choices of a failure. */
const SECONDS = 8;
const PAUSE_MS = 1500;
const SEED = Number(process.env.CLUSTER_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 90_000;

const stores: [title: string, missing: string | undefined, open: () => RealStore][] = [
  ["PostgreSQL", noPostgres, () => new RealPostgres()],
  ["etcd", noEtcdctl, () => new RealEtcd()],
];

for (const [title, missing, open] of stores) {
  test.skipIf(missing !== undefined)(
    `three nodes on ${title}, killed, stopped and cut off, repeat nothing (seed ${SEED})`,
    async () => {
      const lines: string[] = [];
      const options = { seed: SEED, seconds: SECONDS, pauseMs: PAUSE_MS, putBackEverySeconds: 0 };
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

  test.skipIf(missing !== undefined)(
    `three nodes on ${title}, of which an old copy is put back, repeat nothing (seed ${SEED})`,
    async () => {
      const options = { seed: SEED, seconds: SECONDS, pauseMs: PAUSE_MS, putBackEverySeconds: 5 };
      const ordeal = new Ordeal({ ...options, store: open(), say: () => {} });
      expect(await ordeal.run()).toBeGreaterThan(1000);
      expect(ordeal.events["store put back"]).toBe(1);
    },
    TIMEOUT_MS,
  );
}
