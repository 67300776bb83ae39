import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { orderIn, top } from "../../../src/cli/top.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { messageOf } from "../../support/message-of.ts";
import { startInMemory } from "../../support/server.ts";
import { serverAt } from "../../support/server-settings.ts";
import { FakeTerminal } from "../../support/terminal.ts";

test("the order is one of two, by rate without -sort", () => {
  expect(orderIn(new Map())).toBe("rate");
  expect(orderIn(new Map([["sort", "used"]]))).toBe("used");
  expect(() => orderIn(new Map([["sort", "name"]]))).toThrow("-sort: 'name' must be one of rate,");
});

describe("top", () => {
  const { port, server } = startInMemory();
  let client: TestClient;
  beforeAll(async () => {
    client = await TestClient.connect(port);
    await client.pipeline([
      ["HSET", "order", "type", "3"],
      ["HSET", "invoice", "type", "2", "length", "2", "starting", "50"],
    ]);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const names = (lines: readonly string[]) =>
    lines.map((line) => line.split(" ").at(-1)).filter((word) => /^(order|invoice)$/.test(word!));

  test("is one table where the output is no terminal", async () => {
    const { text, isWell } = await top("used", serverAt(port), {}, 3, new FakeTerminal(false));
    expect(isWell).toBe(true);
    expect(names(text.split("\n"))).toEqual(["invoice", "order"]);
    expect(text).toContain("WASTED");
  });

  test("is live on a terminal, sorted as its keys say, until q", async () => {
    const terminal = new FakeTerminal(true);
    const showing = top("used", serverAt(port), {}, 3, terminal);
    await until(() => names(terminal.shown).length === 2);
    expect(names(terminal.shown)).toEqual(["invoice", "order"]);
    let isOver = false;
    const taking = (async () => {
      for (; !isOver; await Bun.sleep(10)) await client.command("GET", "order");
    })();
    terminal.press("x");
    terminal.press("p");
    await until(() => names(terminal.shown)[0] === "order");
    terminal.resize(100, 10);
    expect(terminal.shown.length).toBeLessThanOrEqual(10);
    expect(terminal.shown.at(-1)).toContain("q ends");
    terminal.press("q");
    expect(await showing).toEqual({ text: "", isWell: true });
    isOver = true;
    await taking;
  });

  test("ends with the reason once the server is gone", async () => {
    const other = startInMemory();
    const terminal = new FakeTerminal(true);
    const showing = messageOf(top("rate", serverAt(other.port), {}, 3, terminal));
    await until(() => terminal.shown.length > 1);
    await other.server.stop();
    expect(await showing).toContain(`127.0.0.1:${other.port}`);
    expect(terminal.written).toEndWith("\x1b[?1049l");
  });
});
