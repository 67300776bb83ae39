import { Striped, wholeLine } from "../../../src/dispenser/allocation.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { LocalCatalog } from "../../../src/engine/local-catalog.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { describeCatalog } from "./catalog-conformance.ts";

for (const [title, allocation] of [
  ["a node alone", wholeLine],
  ["node 1 of 3", new Striped(1, 3)],
] as const) {
  describeCatalog(title, async () => {
    const engine = new Engine(new MemoryStore(), { now: () => 0, savesCounts: false, allocation });
    return {
      engine,
      catalog: new LocalCatalog(engine),
      close: async () => void engine.close(),
    };
  });
}
