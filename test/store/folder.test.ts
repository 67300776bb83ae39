import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { networkFileSystem, ownerOf, prepareFolder } from "../../src/store/folder.ts";
import { temporaryFolder } from "../support/folder.ts";

const options = { create: true, allowNetworkFileSystem: false };

test("a folder is made with all that is missing above it", () => {
  const folder = join(temporaryFolder(), "a", "b", "c");
  prepareFolder(folder, options);
  expect(existsSync(folder)).toBe(true);
  prepareFolder(folder, options);
});

describe("network file systems are known by their types", () => {
  const types: [number, string | undefined][] = [
    [0x6969, "NFS"],
    // statfs has it as a signed number on some machines.
    [0xff534d42 | 0, "CIFS"],
    [0xfe534d42, "SMB"],
    [0x01021997, "9p"],
    [0xef53, undefined],
    [0x01021994, undefined],
    [0x9123683e, undefined],
  ];
  test.each(types)("%d is %s", (type, name) => {
    expect(networkFileSystem(type)).toBe(name);
  });
});

test("who has a folder is not known where nobody said so", () => {
  expect(ownerOf(temporaryFolder())).toBe("another process");
});
