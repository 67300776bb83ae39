import { MemoryStore } from "../../support/memory-store.ts";
import { startNode } from "../../support/server.ts";
import { SharedRows } from "../../support/shared-store.ts";
import { describeCatalog } from "../engine/catalog-conformance.ts";

describeCatalog("a node of a cluster", async () => {
  const rows = new SharedRows();
  const { engine, cluster, server: listener } = await startNode(new MemoryStore(), rows.open());
  return { engine, catalog: cluster.catalog, close: async () => void (await listener.stop()) };
});
