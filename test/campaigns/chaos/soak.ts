/**
 * `bun run cluster [--seconds N] [--pause N] [--back N] [--seed S] [--store postgres|etcd]`: three nodes under
 * load while they, their store and the network fail; on PostgreSQL, then on etcd. Every N seconds (`--back`; 0:
 * never) an old dump or snapshot of the store is put back.
 */

import { rmSync } from "node:fs";
import { temporaryRoot } from "../../../testkit/folder.ts";
import { endAll } from "../../../testkit/process.ts";
import { anySeed, soakArguments } from "../../support/arguments.ts";
import { Chaos } from "./chaos.ts";
import { RealEtcd, RealPostgres } from "./fleet.ts";

const given = soakArguments({ seed: anySeed(), seconds: 60, pause: 10, back: 0 }, "store");
const { seed, seconds, pause, back, text: only } = given;
const stores = { postgres: () => new RealPostgres(), etcd: () => new RealEtcd() };
try {
  for (const [name, open] of Object.entries(stores)) {
    if (only !== undefined && only !== name) continue;
    const store = open();
    console.log(`${store.title}: three nodes for ${seconds} s, seed ${seed}`);
    const chaos = new Chaos({
      ...{ store, seed, seconds, say: console.log },
      pauseMs: pause * 1000,
      putBackEverySeconds: back,
    });
    const numbers = await chaos.run();
    const events = Object.entries(chaos.events).map(([event, times]) => `${times} ${event}`);
    console.log(`${numbers} numbers received, none repeated: ${events.join(", ")}`);
  }
} catch (error) {
  console.error(`seed ${seed}: ${(error as Error).stack}`);
  endAll();
  process.exit(1);
}
rmSync(temporaryRoot, { recursive: true, force: true });
process.exit(0);
