import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Glob } from "bun";
import { root } from "../../../testkit/process.ts";

const rooms = ["src", "test", "testkit", "bench", "scripts", "deploy", "examples"];
const files = rooms.flatMap((room) => [...new Glob(`${room}/**/*.{ts,sh}`).scanSync(root)]);
const documents = ["docs/*.md", "README*.md", "CONTRIBUTING.md", "SECURITY.md"].flatMap(
  (pattern) => [...new Glob(pattern).scanSync(root)],
);
const source = files.filter((file) => file.startsWith("src/"));

const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm;
const ADDRESS = /\bhttps?:\/\/\S+/g;
const MENTION = /[\w.-]+(?:\/[\w.-]+)*\.(?:ts|sh)\b/g;

const roomOf = (file: string) => file.split("/", 2).join("/");

/** A path leads there from the top, or from src; a name alone is a file of the same room, in a document any file. */
function exists(mention: string, file: string): boolean {
  if (mention.includes("/")) return files.includes(mention) || files.includes(`src/${mention}`);
  const near = file.endsWith(".md")
    ? files
    : files.filter((other) => roomOf(other) === roomOf(file));
  return near.some((other) => basename(other) === mention);
}

test.each([
  ...documents.map((document) => [document, (text: string) => text] as const),
  ...source.map((file) => [file, (text: string) => text.match(COMMENT)?.join("\n") ?? ""] as const),
])("the files that %s mentions are there", (file, proseOf) => {
  const prose = proseOf(readFileSync(join(root, file), "utf8")).replace(ADDRESS, "");
  const mentions = prose.match(MENTION) ?? [];
  expect(mentions.filter((mention) => !exists(mention, file))).toEqual([]);
});
