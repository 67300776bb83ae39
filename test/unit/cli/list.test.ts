import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, limitOf } from "../../../src/cli/client.ts";
import { Watch } from "../../../src/cli/figures.ts";
import { list } from "../../../src/cli/list.ts";
import { parsePassword } from "../../../src/config/kinds.ts";
import type { Config } from "../../../src/config/settings.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { messageOf } from "../../support/message-of.ts";
import { startInMemory } from "../../support/server.ts";
import { serverAt } from "../../support/server-settings.ts";

/** What is listed. */
async function listed(
  port: number,
  pattern?: string,
  isJson = false,
  environment: Record<string, string> = {},
): Promise<string> {
  let text = "";
  await list(pattern, serverAt(port), environment, 3, isJson, async (more) => {
    text += more;
    return true;
  });
  return text;
}

describe("list", () => {
  const { port, server } = startInMemory();
  let client: TestClient;
  beforeAll(async () => {
    client = await TestClient.connect(port);
    await client.pipeline([
      ["HSET", "order", "type", "3", "starting", "9007199254740993"],
      ["HSET", "invoice", "type", "2", "length", "2", "starting", "98"],
      ["HSET", "coupon", "type", "1", "length", "12"],
      ["HSET", Buffer.from("订单").toString("latin1"), "type", "2", "length", "6"],
      ["MGET", "invoice", "invoice", "order"],
    ]);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  test("shows each dispenser in a row", async () => {
    expect(await listed(port)).toBe(
      [
        "NAME     TYPE              NEXT            REMAINING  GENERATED  WASTED  RATE",
        "order       3  9007199254740994  9214364837600034814          1       0     0",
        "invoice     2                 -                    0          2       0     0",
        "coupon      1                 -                    -          0       0     0",
        "订单        2            000000              1000000          0       0     0",
        "",
      ].join("\n"),
    );
  });

  test("shows those that fit a pattern, or its titles alone", async () => {
    expect((await listed(port, "*o*")).split("\n").map((line) => line.split(" ")[0])).toEqual([
      "NAME",
      ...["order", "invoice", "coupon", ""],
    ]);
    const titles = "NAME  TYPE  NEXT  REMAINING  GENERATED  WASTED  RATE\n";
    expect(await listed(port, "nobody*")).toBe(titles);
    expect(await listed(port, "nobody*", true)).toBe("[\n]\n");
  });

  test("is exact as JSON, an object a line", async () => {
    const text = await listed(port, undefined, true);
    expect(text.split("\n")).toHaveLength(7);
    const [order, invoice] = JSON.parse(text);
    expect(order).toEqual({
      ...{ name: "order", type: 3, auto_disk: "elegant_close", next: "9007199254740994" },
      ...{ remaining: "9214364837600034814", used_percent: 0, generated: "1", wasted: "0" },
      rate: 0,
    });
    expect(invoice).toMatchObject({ next: null, remaining: "0", used_percent: 100 });
  });

  test("tells how many numbers a second a line hands out", async () => {
    let isOver = false;
    const taking = (async () => {
      for (; !isOver; await Bun.sleep(10)) await client.command("MGET", ...Array(10).fill("order"));
    })();
    const [order] = JSON.parse(await listed(port, "order", true));
    isOver = true;
    await taking;
    // Ten numbers every ten milliseconds, or somewhat less on a busy machine.
    expect(order.rate).toBeGreaterThan(50);
    expect(order.rate).toBeLessThan(1100);
  });

  test("leaves out what is deleted between the two looks", async () => {
    await client.command("HSET", "gone", "type", "3");
    const listing = listed(port);
    await Bun.sleep(500);
    await client.command("DEL", "gone");
    expect(await listing).not.toContain("gone");
  });
});

describe("list of many", () => {
  const COUNT = 700;
  const { port, server } = startInMemory({ requirepass: parsePassword("secret")! });
  beforeAll(async () => {
    const client = await TestClient.connect(port);
    await client.command("AUTH", "secret");
    const names = [...Array(COUNT).keys()].map((index) => `line:${index}`);
    await client.pipeline(names.map((name) => ["HSET", name, "type", "3"]));
    client.close();
  });
  afterAll(() => server.stop());

  test("has each of them once, in the order in which they were made", async () => {
    const text = await listed(port, "*", true, { NUMBER_DISPENSER_PASSWORD: "secret" });
    const names = JSON.parse(text).map(({ name }: { name: string }) => name);
    expect(names).toEqual([...Array(COUNT).keys()].map((index) => `line:${index}`));
  });

  test("asks for few of them in one request, and loads none", async () => {
    const sent: number[] = [];
    const client = await Client.open({ host: "127.0.0.1", port }, false, limitOf(5));
    await client.command("AUTH", "secret");
    const pipeline = client.pipeline.bind(client);
    client.pipeline = (requests) => {
      sent.push(requests.length);
      return pipeline(requests);
    };
    const names: string[] = [];
    for await (const { name } of new Watch(client, 3).figures("*")) names.push(name);
    expect(names).toHaveLength(COUNT);
    // MULTI, eight INFO, EXEC.
    expect(Math.max(...sent)).toBe(10);
    client.close();
  });

  test("ends once nobody reads it any more", async () => {
    let writes = 0;
    const config: Config = serverAt(port) as Config;
    const environment = { NUMBER_DISPENSER_PASSWORD: "secret" };
    await list("*", config, environment, 3, false, async () => ++writes < 2);
    expect(writes).toBe(2);
  });

  test("says why the server refuses, or does not answer", async () => {
    expect(await messageOf(listed(port))).toContain("wants a password");
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const listing = list("*", serverAt(silent.port), {}, 0.3, false, async () => true);
    expect(await messageOf(listing)).toContain("does not answer within 0.3 s");
    silent.stop(true);
  });
});
