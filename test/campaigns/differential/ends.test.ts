/**
 * How connections end with a redis-server and with this server: what a client has got that reads
 * only then, and whether it sees FIN or a reset. What is meant to differ is in differences.ts.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { endsMeantToDiffer } from "./differences.ts";
import { openScenes, passwordScenes, type Shown, Stage, show } from "./scenes.ts";
import { PASSWORD, type Servers, startServers, whyNot } from "./servers.ts";

if (whyNot !== undefined) console.warn(whyNot);

describe.skipIf(whyNot !== undefined).each([
  ["without a password", openScenes, undefined],
  ["with a password", passwordScenes, PASSWORD],
])("the end of a connection %s", (_, scenes, password) => {
  let servers: Servers;
  let stages: Record<"redis" | "ours", Stage>;

  beforeAll(async () => {
    servers = await startServers(password);
    const [redis, ours] = await Promise.all([
      Stage.on(servers.ports.redis, password),
      Stage.on(servers.ports.ours, password),
    ]);
    stages = { redis, ours };
  });
  afterAll(async () => {
    for (const stage of Object.values(stages)) stage.close();
    await servers.stop();
  });

  test.each(Object.entries(scenes))("%s", async (name, play) => {
    const played = async (stage: Stage): Promise<Shown> => {
      const client = await play(stage);
      const ending = await client.read();
      await stage.clear();
      return show(ending);
    };
    const [redis, ours] = await Promise.all([played(stages.redis), played(stages.ours)]);
    const meant = endsMeantToDiffer[name];
    if (meant === undefined) return expect(ours).toEqual(redis);
    expect(ours).not.toEqual(redis);
    expect(redis).toMatchObject(meant.redis);
    expect(ours).toMatchObject(meant.ours);
  });
});

test("what is meant to differ are ends of connections", () => {
  const names = Object.keys({ ...openScenes, ...passwordScenes });
  expect(names).toEqual(expect.arrayContaining(Object.keys(endsMeantToDiffer)));
});
