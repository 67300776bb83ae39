import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Glob } from "bun";
import { root } from "./support/server.ts";

const source = join(root, "src");

/** What each part may import from; every file may import from its own part. */
const allowed: Record<string, string[]> = {
  assert: [],
  refusal: [],
  version: [],
  log: [],
  files: [],
  libc: [],
  exit: ["libc"],
  "service-manager": ["address", "libc", "refusal"],
  "config-file": ["refusal"],
  address: [],
  "setting-kinds": ["address"],
  settings: ["address", "log", "setting-kinds"],
  config: ["config-file", "setting-kinds", "settings"],
  resp: ["assert"],
  dispenser: ["assert", "refusal"],
  store: ["assert", "dispenser", "files", "libc", "refusal"],
  "name-table": [],
  parked: ["dispenser", "name-table", "store"],
  names: ["assert", "dispenser", "name-table", "parked", "store"],
  fifo: [],
  "unsaved-counts": ["dispenser", "fifo", "gathering"],
  gathering: ["assert", "dispenser", "store"],
  moves: ["refusal", "dispenser", "gathering", "store"],
  "deleted-lines": ["refusal", "dispenser", "store"],
  engine: [
    "assert",
    "deleted-lines",
    "refusal",
    "unsaved-counts",
    "names",
    "gathering",
    "moves",
    "dispenser",
    "store",
  ],
  cluster: ["assert", "refusal", "version", "log", "dispenser", "engine", "gathering", "store"],
  cli: [
    "address",
    "cluster",
    "refusal",
    "config",
    "config-file",
    "dispenser",
    "engine",
    "files",
    "settings",
    "store",
    "version",
  ],
  server: [
    ...["address", "assert", "files", "refusal", "version", "libc", "log", "config", "settings"],
    ...["resp", "dispenser", "engine", "cluster", "store"],
  ],
};

const partOf = (path: string) => path.split("/")[0]!.replace(/\.ts$/, "");

test("imports point downwards, and the pure part imports nothing of the platform", () => {
  const wrong: string[] = [];
  for (const file of new Glob("**/*.ts").scanSync(source)) {
    const part = partOf(file);
    if (part === "main") continue;
    const text = readFileSync(join(source, file), "utf8");
    for (const [, target] of text.matchAll(/^(?:import|export) [^;]*?from "([^"]+)"/gms)) {
      const isOurs = target!.startsWith(".") && target!.endsWith(".ts");
      const to = isOurs ? partOf(relative(source, join(source, dirname(file), target!))) : target!;
      if (isOurs && to !== part && !allowed[part]?.includes(to)) wrong.push(`${file} -> ${to}`);
      if (part === "dispenser" && !isOurs) wrong.push(`${file} -> ${to}`);
    }
    if (part === "dispenser" && /\bBun\.|Date\.now|performance\.|await |setTimeout/.test(text)) {
      wrong.push(`${file}: not pure`);
    }
  }
  expect(wrong).toEqual([]);
});
