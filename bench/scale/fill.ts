/**
 * Fills a data folder with dispensers that have handed out a number each, as after a clean stop.
 * Run it with the folder, how many, and their strategy, in a process of its own.
 */

import { openFolder } from "../../src/cluster/open-node.ts";
import { LocalCatalog } from "../../src/engine/local-catalog.ts";
import { nameOf } from "../compare/works.ts";
import { PREFIX } from "./start.ts";

/** How many are defined in one commit. */
const AT_ONCE = 10_000;

const [folder, count, strategy] = process.argv.slice(2) as [string, string, string];
const { engine } = openFolder(folder, { create: true, allowNetworkFileSystem: false });
const fields = new Map(Object.entries({ type: "3", auto_disk: strategy }));
const into = Buffer.alloc(20);

for (let index = 0; index < Number(count); index++) {
  const name = nameOf(PREFIX, index);
  const set = new LocalCatalog(engine).define(name, fields);
  if (typeof set !== "number") throw new Error(set.message);
  engine.take(engine.find(name)!, into, 0);
  if (index % AT_ONCE !== AT_ONCE - 1) continue;
  engine.commit();
  engine.maintain();
}
engine.commit();
engine.close();
