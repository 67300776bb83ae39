import { expect, test } from "bun:test";
import { constants, fstatSync, lstatSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivate, openRegular, readRegular } from "../../../src/platform/files.ts";
import { makeFifo, temporaryFolder } from "../../../testkit/folder.ts";

test("a regular file is read, through a link too, and nothing else is waited for", () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder, name);
  writeFileSync(at("file"), "text");
  symlinkSync(at("file"), at("link"));
  expect(readRegular(at("file")).toString()).toBe("text");
  expect(readRegular(at("link")).toString()).toBe("text");
  expect(() => openRegular(at("link"), constants.O_NOFOLLOW)).toThrow(/ELOOP/);
  makeFifo(at("fifo"));
  for (const path of [at("fifo"), folder, "/dev/null"]) {
    expect(() => readRegular(path)).toThrow("it is not a regular file");
  }
});

test("a file is made for this user alone, whatever the umask, and never through a link", () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder, name);
  for (const umask of [0, 0o777]) {
    const before = process.umask(umask);
    try {
      expect(fstatSync(createPrivate(at(`file-${umask}`))).mode & 0o777).toBe(0o600);
    } finally {
      process.umask(before);
    }
  }
  symlinkSync(at("elsewhere"), at("link"));
  makeFifo(at("fifo"));
  for (const name of ["file-0", "link", "fifo"]) {
    expect(() => createPrivate(at(name))).toThrow(/EEXIST/);
  }
  expect(lstatSync(at("elsewhere"), { throwIfNoEntry: false })).toBeUndefined();
});
