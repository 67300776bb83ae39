import { openSqliteStore } from "../../src/storage/sqlite.ts";
import { TestClient } from "../../testkit/resp.ts";
import { startLocal } from "./server.ts";

/** What a server on this folder says to GET of each of these names. */
export async function taken(dataDir: string, ...names: string[]): Promise<unknown[]> {
  const server = startLocal(
    openSqliteStore(dataDir, { create: true, allowNetworkFileSystem: false }),
  );
  const client = await TestClient.connect(server.port);
  const replies = await client.pipeline(names.map((name) => ["GET", name]));
  client.close();
  await server.server.stop();
  return replies.map((reply) => (typeof reply === "string" ? reply : String(reply)));
}
