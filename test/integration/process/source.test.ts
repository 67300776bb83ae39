import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, root, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { describeProgram } from "./program.ts";

describeProgram("the source, run by Bun", () => fromSource);

describe("bun run server", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`stops cleanly when it alone gets ${signal}`, async () => {
      const program = [process.execPath, "run", "server"];
      const server = await ServerProcess.start({ program });
      const client = await TestClient.connect(server.port);
      await client.command("HSET", "x", "type", "3", "auto_disk", "pre_close");
      await client.pipeline(Array.from({ length: 100 }, () => ["GET", "x"]));
      expect(await server.end(signal)).toBe(0);
      expect(server.log).toContain("stopped, all positions saved");
    });
  }
});

test("logs JSON with one setting, clients at debug level", async () => {
  const env = { NUMBER_DISPENSER_LOG_FORMAT: "json", NUMBER_DISPENSER_LOG_LEVEL: "debug" };
  const program = [...fromSource];
  const child = Bun.spawn(
    [...program, "-addr", "127.0.0.1:0", "-data", join(temporaryFolder(), "data")],
    { cwd: root, env: { ...process.env, ...env }, stderr: "pipe", stdout: "ignore" },
  );
  const events: { event: string; address?: string }[] = [];
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of child.stderr) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) {
      const event = JSON.parse(line);
      events.push(event);
      if (event.event === "ready") {
        const client = await TestClient.connect(Number(event.address.split(":")[1]));
        await client.command("PING");
        client.close();
      }
      if (event.event === "client left") child.kill("SIGTERM");
    }
  }
  expect(events.map(({ event }) => event)).toEqual([
    "new database: every line starts at its beginning",
    "ready",
    "client connected",
    "client left",
    "stopping",
    "stopped, all positions saved",
  ]);
});
