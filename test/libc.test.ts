import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { libcFiles, lockExclusively, openLibc } from "../src/libc.ts";
import { temporaryFolder } from "./support/folder.ts";

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
