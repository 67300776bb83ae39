import { expect, test } from "bun:test";
import {
  closeSync,
  constants,
  linkSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import {
  extents,
  libcFiles,
  lockExclusively,
  openLibc,
  writability,
} from "../../../src/platform/libc.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";

const functions = { getpid: { args: [], returns: "i32" } } as const;

test("the C library answers", () => {
  expect(openLibc(functions)?.getpid()).toBe(process.pid);
});

test("is the first of the files that is there; none is no error", () => {
  const files = libcFiles(process.platform);
  expect(openLibc(functions, ["nowhere.so", ...files])?.getpid()).toBe(process.pid);
  expect(openLibc(functions, ["nowhere.so"])).toBeUndefined();
});

test("locks a folder for one descriptor at a time", () => {
  const folder = temporaryFolder();
  const [first, second] = [openSync(folder, "r"), openSync(folder, "r")];
  expect(lockExclusively(first)).toBe("locked");
  expect(lockExclusively(second)).toBe("taken");
  closeSync(first);
  expect(lockExclusively(second)).toBe("locked");
  closeSync(second);
  expect(lockExclusively(-1)).toBe("unknown");
});

test("is looked for where each system has it", () => {
  expect(libcFiles("darwin")).toEqual(["libSystem.B.dylib"]);
  expect(libcFiles("linux")).toContain("libc.so.6");
});

test.each([
  ["as the system tells it", undefined],
  ["without the C library", ["nowhere.so"]],
])("what an open file has of names and bytes, %s", (_, files) => {
  const extentOf = extents(false, files);
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, "12345");
  const descriptor = openSync(path, "r");
  expect(extentOf(descriptor)).toEqual({ nlink: 1, size: 5, mtimeMs: 0 });
  expect(extents(true, files)(descriptor).mtimeMs).toBeCloseTo(statSync(path).mtimeMs, 2);
  linkSync(path, `${path}-too`);
  truncateSync(path, 2);
  expect(extentOf(descriptor)).toMatchObject({ nlink: 2, size: 2 });
  for (const name of [path, `${path}-too`]) rmSync(name);
  expect(extentOf(descriptor).nlink).toBe(0);
  closeSync(descriptor);
  expect(() => extentOf(descriptor)).toThrow();
});

test("says whether a pipe takes a piece, and waits no longer than it is told", () => {
  const path = join(temporaryFolder(), "fifo");
  makeFifo(path);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const isWritable = writability(pipe);
  expect(isWritable(0)).toBe(true);
  const fill = () => {
    for (;;) writeSync(pipe, Buffer.alloc(4096));
  };
  expect(fill).toThrow("EAGAIN");
  expect(isWritable(0)).toBe(false);
  const began = performance.now();
  expect(isWritable(50)).toBe(false);
  expect(performance.now() - began).toBeGreaterThanOrEqual(49);
  expect(writability(pipe, ["nowhere.so"])(0)).toBe(true);
  readSync(pipe, Buffer.alloc(4096));
  expect(isWritable(0)).toBe(true);
  closeSync(pipe);
});

test("a pipe without a reader, a file and a closed descriptor are not waited for", () => {
  const path = join(temporaryFolder(), "fifo");
  makeFifo(path);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  closeSync(reader);
  expect(writability(pipe)(0)).toBe(true);
  closeSync(pipe);
  const file = openSync(`${path}-file`, "w");
  expect(writability(file)(0)).toBe(true);
  closeSync(file);
  expect(writability(file)(0)).toBe(true);
});
