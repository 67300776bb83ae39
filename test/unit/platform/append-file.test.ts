import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppendFile } from "../../../src/platform/append-file.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

test("lines are added behind what is there, in a file of this user alone", () => {
  const path = join(temporaryFolder(), "audit");
  new AppendFile(path).write("one");
  new AppendFile(path).write("two");
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  expect(statSync(path).mode & 0o077).toBe(0);
});

test("a file that was moved away gets the lines until it is opened again", () => {
  const path = join(temporaryFolder(), "audit");
  const file = new AppendFile(path);
  file.write("one");
  renameSync(path, `${path}.1`);
  file.write("two");
  file.reopen();
  file.write("three");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("one\ntwo\n");
  expect(readFileSync(path, "utf8")).toBe("three\n");
});

test("what is no regular file is refused, and the old file stays in use", () => {
  const folder = temporaryFolder();
  expect(() => new AppendFile(folder)).toThrow(`cannot write ${folder}: `);
  Bun.spawnSync(["mkfifo", join(folder, "fifo")]);
  expect(() => new AppendFile(join(folder, "fifo"))).toThrow(/cannot write .*fifo: /);
  const path = join(folder, "audit");
  const file = new AppendFile(path);
  renameSync(path, `${path}.1`);
  mkdirSync(path);
  expect(() => file.reopen()).toThrow(`cannot write ${path}: `);
  file.write("on");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("on\n");
});

test.skipIf(process.platform !== "linux")("lines that are lost are told of once", () => {
  const path = join(temporaryFolder(), "audit");
  writeFileSync(path, "");
  const file = new AppendFile(path);
  const told: string[] = [];
  file.onLost = (reason) => void told.push(reason);
  // A descriptor that is not open stands for a disk that takes nothing.
  const inside = file as unknown as { descriptor: number };
  const { descriptor } = inside;
  inside.descriptor = 9_999;
  file.write("one");
  file.write("two");
  expect(told).toHaveLength(1);
  inside.descriptor = descriptor;
  file.write("three");
  expect(readFileSync(path, "utf8")).toBe("three\n");
});
