import { expect, test } from "bun:test";
import { metrics, sectionTitles } from "../../../src/server/metrics.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { startInMemory } from "../../support/server.ts";

const collected = metrics.flatMap((metric) => ("name" in metric ? [metric] : []));

test("metrics have names of their own, as Prometheus wants them", () => {
  const names = collected.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, kind, help } of collected) {
    expect(name).toMatch(/^number_dispenser_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith("_total")).toBe(kind === "counter");
    expect(help).toMatch(/^[A-Z].*[^.]$/);
  }
});

test("INFO shows every field that applies, by sections, in the order of the list", async () => {
  const server = startInMemory();
  const client = await TestClient.connect(server.port);
  const text = String(await client.command("INFO"));
  client.close();
  await server.server.stop();
  const notHere = ["storage_error", "cluster_place", "cluster_node", "cluster_store"];
  const isHere = (field: string) => !notHere.some((other) => field.startsWith(other));
  const byDefault = sectionTitles.filter((title) => title !== "Commandstats");
  const expected = byDefault.map((title) => [
    `# ${title}`,
    ...metrics
      .filter(({ section, field }) => section === title && isHere(field))
      .map(({ field }) => field),
  ]);
  const shown = text
    .split("\r\n\r\n")
    .map((section) => section.split("\r\n").flatMap((line) => line.split(":")[0] || []));
  expect(shown).toEqual(expected);
  expect(text).toContain("\r\nstorage_status:ok\r\n");
  expect(text).toMatch(/\r\nused_cpu_sys:\d+\.\d{6}\r\nused_cpu_user:\d+\.\d{6}\r\n/);
});
