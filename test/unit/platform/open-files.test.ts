import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { clientsByDescriptors } from "../../../src/platform/open-files.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

function clientsOf(limits: string): number {
  const file = join(temporaryFolder(), "limits");
  writeFileSync(file, limits);
  return clientsByDescriptors(file);
}

test("clients leave 64 descriptors to the server", () => {
  expect(clientsOf("Limit  Soft  Hard\nMax open files            1024    4096    files\n")).toBe(
    960,
  );
});

test("one client is let in, however low the limit is", () => {
  expect(clientsOf("Max open files            10      4096    files\n")).toBe(1);
});

test("where there is no such limit to be read, it does not count", () => {
  expect(clientsOf("Max open files            unlimited unlimited files\n")).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(clientsByDescriptors("/nowhere")).toBe(Number.POSITIVE_INFINITY);
});
