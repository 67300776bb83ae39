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

/** Every import of a file of src: where from, and the path in src or the package that it names. */
function importsOf(file: string): readonly { isOurs: boolean; to: string }[] {
  const text = readFileSync(join(source, file), "utf8");
  return [...text.matchAll(/^(?:import|export) [^;]*?from "([^"]+)"/gms)].map(([, target]) => {
    const isOurs = target!.startsWith(".") && target!.endsWith(".ts");
    const path = relative(source, join(source, dirname(file), target!));
    return { isOurs, to: isOurs ? path : target! };
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

test("the dispensers are pure: no package, no clock, no waiting, nothing of Bun", () => {
  const wrong = files
    .filter((file) => roomOf(file) === "dispenser")
    .flatMap((file) => {
      const text = readFileSync(join(source, file), "utf8");
      const foreign = importsOf(file).filter(({ isOurs }) => !isOurs);
      const isPure = !/\bBun\.|Date\.now|performance\.|await |setTimeout/.test(text);
      return [...foreign.map(({ to }) => `${file} -> ${to}`), ...(isPure ? [] : [file])];
    });
  expect(wrong).toEqual([]);
});
