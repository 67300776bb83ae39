/** The short form of chaos on one store; `bun run cluster` runs long ones. CLUSTER_SEED replays the choices of a failure. */

import { expect, test } from "bun:test";
import { Chaos, kinds } from "./chaos.ts";
import type { RealStore } from "./fleet.ts";

const SECONDS = 5;
const PUT_BACK_EVERY_SECONDS = 4;
const PAUSE_MS = 1500;
const SEED = Number(process.env.CLUSTER_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 90_000;

/** `missing`: why the store cannot be run here. */
export function describeChaos(
  title: string,
  missing: string | undefined,
  open: () => RealStore,
): void {
  const options = { seed: SEED, seconds: SECONDS, pauseMs: PAUSE_MS };

  test.skipIf(missing !== undefined)(
    `three nodes on ${title}, killed, stopped and cut off, repeat nothing (seed ${SEED})`,
    async () => {
      const lines: string[] = [];
      const say = (line: string) => void lines.push(line);
      const chaos = new Chaos({ ...options, store: open(), putBackEverySeconds: 0, say });
      expect(await chaos.run()).toBeGreaterThan(1000);
      expect(lines).toHaveLength(kinds.length);
    },
    TIMEOUT_MS,
  );

  test.skipIf(missing !== undefined)(
    `three nodes on ${title}, of which an old copy is put back, repeat nothing (seed ${SEED})`,
    async () => {
      const putBackEverySeconds = PUT_BACK_EVERY_SECONDS;
      const chaos = new Chaos({ ...options, store: open(), putBackEverySeconds, say: () => {} });
      expect(await chaos.run()).toBeGreaterThan(1000);
      expect(chaos.events["store put back"]).toBe(1);
    },
    TIMEOUT_MS,
  );
}
