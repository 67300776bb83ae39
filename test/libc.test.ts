import { expect, test } from "bun:test";
import { libcFiles, openLibc } from "../src/libc.ts";

const functions = { getpid: { args: [], returns: "i32" } } as const;

test("the C library answers", () => {
  expect(openLibc(functions)?.getpid()).toBe(process.pid);
});

test("is the first of the files that is there; none is no error", () => {
  const files = libcFiles(process.platform);
  expect(openLibc(functions, ["nowhere.so", ...files])?.getpid()).toBe(process.pid);
  expect(openLibc(functions, ["nowhere.so"])).toBeUndefined();
});

test("is looked for where each system has it", () => {
  expect(libcFiles("darwin")).toEqual(["libSystem.B.dylib"]);
  expect(libcFiles("linux")).toContain("libc.so.6");
});
