import { afterAll, describe, expect, test } from "bun:test";
import { parsePassword } from "../../../src/config/kinds.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config, Right, UserSettings } from "../../../src/config/settings.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { type LocalServer, startLocal } from "../../support/server.ts";

const servers: LocalServer<MemoryStore>[] = [];
afterAll(() => Promise.all(servers.map(({ server }) => server.stop())));

const user = (name: string, password: string, rights: Right[], names = ["*"]): UserSettings => ({
  ...{ name, rights, names },
  passwordHash: parsePassword(password)!,
});

/** A server with these settings, and what it does when others were read. */
function start(settings: Partial<Config>) {
  const defaults = loadConfig(new Map([["addr", "127.0.0.1:0"]]), {});
  const started = startLocal(new MemoryStore(), settings);
  servers.push(started);
  const read = (changes: Partial<Config>) =>
    started.server.reload({ ...defaults, autoSave: false, ...settings, ...changes });
  const connectAs = async (name: string, password: string) => {
    const client = await TestClient.connect(started.port);
    expect(await client.command("AUTH", name, password)).toBe("OK");
    return client;
  };
  return { ...started, read, connectAs };
}

describe("settings that are read again", () => {
  test("take effect where they may, and name those that need a restart", async () => {
    const { server, read, logged } = start({});
    read({ idleSecondsMax: 7, dataDir: "/elsewhere", logFormat: "json" });
    expect(server.config).toMatchObject({ idleSecondsMax: 7, logFormat: "text" });
    expect(logged).toEqual([
      "info settings read again changed=limits.idle_seconds",
      'warning settings that need a restart reason="storage.data_dir log.format"',
    ]);
    read({ idleSecondsMax: 7, dataDir: "/elsewhere", logFormat: "json" });
    expect(logged.at(-1)).toBe("info settings read again changed=nothing");
  });

  test("leave alone what CONFIG SET changed and the file did not", async () => {
    const { server, port, read } = start({});
    const client = await TestClient.connect(port);
    await client.command("CONFIG", "SET", "maxclients", "77");
    read({ idleSecondsMax: 5 });
    expect(server.config).toMatchObject({ clientsMax: 77, idleSecondsMax: 5 });
    read({ idleSecondsMax: 5, clientsMax: 88 });
    expect(server.config.clientsMax).toBe(88);
    client.close();
  });

  test("that cannot be are refused, and nothing changes", () => {
    const { server, read, logged } = start({});
    read({ clientsMax: 1_000_000, idleSecondsMax: 5 });
    expect(server.config.idleSecondsMax).toBe(0);
    expect(logged[0]).toContain("error settings not changed reason=");
  });
});

describe("users that are read again", () => {
  const admin = user("admin", "a", ["admin", "take", "define"]);

  test("who was removed or has another password loses the connection; everybody else stays", async () => {
    const staying = user("staying", "s", ["take"]);
    const { read, connectAs, logged } = start({
      users: [admin, staying, user("gone", "g", ["take"]), user("other", "o", ["take"])],
    });
    const clients = await Promise.all([
      connectAs("admin", "a"),
      connectAs("staying", "s"),
      connectAs("gone", "g"),
      connectAs("other", "o"),
    ]);
    read({ users: [admin, staying, user("other", "changed", ["take"])] });
    await Promise.all([clients[2]!.closed, clients[3]!.closed]);
    expect(await clients[0]!.command("PING")).toBe("PONG");
    expect(await clients[1]!.command("PING")).toBe("PONG");
    expect(logged.join()).toContain("client closed: its user was removed, or has another password");
    expect(logged.join()).toContain("info settings read again changed=access");
    const again = await connectAs("other", "changed");
    for (const client of [...clients, again]) client.close();
  });

  test("changed rights and names act at once, also on what waits for EXEC", async () => {
    const { read, connectAs } = start({ users: [admin, user("shop", "s", ["take"])] });
    const [chief, shop] = [await connectAs("admin", "a"), await connectAs("shop", "s")];
    for (const name of ["own:x", "other"]) await chief.command("HSET", name, "type", "3");
    expect(await shop.command("GET", "other")).toBe("0");
    expect(await shop.command("MULTI")).toBe("OK");
    expect(await shop.command("GET", "other")).toBe("QUEUED");
    read({ users: [admin, user("shop", "s", ["take", "inspect"], ["own:*"])] });
    const refused = new ReplyError("NOPERM User 'shop' may not use one of these names");
    expect(await shop.command("EXEC")).toEqual([refused]);
    expect(await shop.command("GET", "other")).toEqual(refused);
    expect(await shop.command("GET", "own:x")).toBe("0");
    expect(await shop.command("EXISTS", "own:x")).toBe(1);
    for (const client of [chief, shop]) client.close();
  });

  test("a first password ends who came without one; without any, everybody may enter", async () => {
    const { port, read } = start({});
    const before = await TestClient.connect(port);
    expect(await before.command("PING")).toBe("PONG");
    read({ requirepass: parsePassword("secret")! });
    await before.closed;
    const waiting = await TestClient.connect(port);
    expect(await waiting.command("PING")).toEqual(
      new ReplyError("NOAUTH Authentication required."),
    );
    const inside = await TestClient.connect(port);
    expect(await inside.command("AUTH", "secret")).toBe("OK");
    read({});
    expect(await waiting.command("PING")).toBe("PONG");
    expect(await inside.command("PING")).toBe("PONG");
    for (const client of [waiting, inside]) client.close();
  });
});
