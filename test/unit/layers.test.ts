import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Glob } from "bun";
import { root } from "../../testkit/process.ts";

const source = join(root, "src");

/** What each room may import from, beside itself. */
const allowed: Record<string, readonly string[]> = {
  base: [],
  resp: ["base"],
  config: ["base"],
  dispenser: ["base"],
  platform: ["base", "config/address.ts"],
  storage: ["dispenser", "platform", "base"],
  engine: ["storage", "dispenser", "base"],
  cluster: ["engine", "storage", "dispenser", "platform", "base"],
  server: [
    ...["cluster", "engine", "storage", "dispenser"],
    ...["resp", "config", "platform", "base"],
  ],
  cli: ["cluster", "engine", "storage", "dispenser", "resp", "config", "platform", "base"],
  "service.ts": [
    ...["server", "cluster", "engine", "storage", "dispenser"],
    ...["resp", "config", "platform", "base"],
  ],
  "main.ts": ["cli", "service.ts"],
};

const roomOf = (path: string) => path.split("/")[0]!;

/** An import of a file of src. */
interface Import {
  readonly isOurs: boolean;
  /** Whether it brings types alone, so that nothing of it is left when the program runs. */
  readonly isType: boolean;
  /** The path in src, or the package. */
  readonly to: string;
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(source, file), "utf8");
  const found = text.matchAll(/^(?:import|export) ([^;"]*?)\s*from "([^"]+)"/gms);
  return [...found].map(([, what, target]) => {
    const isOurs = target!.startsWith(".") && target!.endsWith(".ts");
    const path = relative(source, join(source, dirname(file), target!));
    const names = what!.replace(/^\{|\}$/g, "").split(",");
    const isEachType = names.every((name) => /^\s*(type\s|$)/.test(name));
    return { isOurs, isType: /^type\s/.test(what!) || isEachType, to: isOurs ? path : target! };
  });
}

const files = [...new Glob("**/*.ts").scanSync(source)];

test("src has rooms, and no loose files but those that open and run the program", () => {
  const rooms = readdirSync(source).filter((entry) => !(entry in allowed));
  expect(rooms).toEqual([]);
});

test("imports point downwards", () => {
  const wrong = files.flatMap((file) => {
    const may = allowed[roomOf(file)] ?? [];
    return importsOf(file)
      .filter(({ isOurs, to }) => isOurs && roomOf(to) !== roomOf(file))
      .filter(({ to }) => !may.includes(roomOf(to)) && !may.includes(to))
      .map(({ to }) => `${file} -> ${to}`);
  });
  expect(wrong).toEqual([]);
});

test("the dispensers are pure: no package but ciphers, no clock, no waiting, nothing of Bun", () => {
  const wrong = files
    .filter((file) => roomOf(file) === "dispenser")
    .flatMap((file) => {
      const text = readFileSync(join(source, file), "utf8");
      const foreign = importsOf(file).filter(({ isOurs, to }) => !isOurs && to !== "node:crypto");
      const isPure = !/\bBun\.|Date\.now|performance\.|await |setTimeout/.test(text);
      return [...foreign.map(({ to }) => `${file} -> ${to}`), ...(isPure ? [] : [file])];
    });
  expect(wrong).toEqual([]);
});

/** Files that come back to themselves when one follows such imports. */
function inCircles(counts: (found: Import) => boolean): string[] {
  const imports = new Map(
    files.map((file) => {
      const ours = importsOf(file).filter((found) => found.isOurs && counts(found));
      return [file, ours.map(({ to }) => to)];
    }),
  );
  const isInCircle = (file: string) => {
    const seen = new Set<string>();
    const open = [...imports.get(file)!];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === file) return true;
      if (!seen.has(next)) open.push(...imports.get(next)!);
      seen.add(next);
    }
    return false;
  };
  return files.filter(isInCircle);
}

test("no file imports itself by way of others", () => {
  expect(inCircles(({ isType }) => !isType)).toEqual([]);
});

test("nor does it need its own types by way of others", () => {
  expect(inCircles(() => true)).toEqual([]);
});
