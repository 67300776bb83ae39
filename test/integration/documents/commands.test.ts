/** The commands of the documents that a newcomer follows are run as they stand there, on a copy of this folder. */

import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../testkit/process.ts";
import { Reader, startsServer } from "./reader.ts";
import { patternOf, type Step, stepsOf } from "./steps.ts";

const TIMEOUT_MS = 120_000;

/** What is not run here, and why. */
const notRun: readonly [pattern: RegExp, reason: string][] = [
  [/run test$/, "it is what runs this"],
  [/@db:5432|etcd1:/, "a store with this name is the reader's own"],
];

async function follow(reader: Reader, step: Step): Promise<void> {
  if (step.kind === "session") {
    const typed = `${step.commands.join("\n")}\n`;
    const { output, status } = await reader.run("redis-cli -p 6380", typed);
    expect(status).toBe(0);
    expect(output).toMatch(patternOf(step.output));
    return;
  }
  const { command } = step;
  if (startsServer.test(command)) return reader.startServer(command);
  const { output, status } = await reader.run(command);
  expect([command, status, output]).toEqual([command, 0, expect.anything()]);
  expect(output).not.toMatch(/^\(error\)/m);
  if (step.output !== undefined) expect(output).toMatch(patternOf(step.output));
}

const textOf = (document: string) => readFileSync(join(root, document), "utf8");
const hasNpx = Bun.which("npx") !== null;
if (!hasNpx)
  console.warn("skipped: the commands of the documents begin with npx, which is not here");

describe.skipIf(!hasNpx)("a reader who follows", () => {
  const readers: Reader[] = [];
  afterAll(() => Promise.all(readers.map((reader) => reader.stopServer())));

  test.each([
    "README.md",
    "docs/QUICKSTART.md",
    "docs/COMMANDS.md",
    "docs/NUMBERS.md",
    "docs/OPERATING.md",
  ])(
    "%s gets what it shows",
    async (document) => {
      const reader = new Reader();
      readers.push(reader);
      const steps = stepsOf(textOf(document));
      // These have none of their own.
      if (/COMMANDS|NUMBERS/.test(document)) await reader.startServer("bun run server");
      const skipped: string[] = [];
      let commands = 0;
      for (const step of steps) {
        const reason =
          step.kind === "shell" && notRun.find(([pattern]) => pattern.test(step.command))?.[1];
        if (reason) skipped.push(reason);
        else {
          await follow(reader, step);
          commands += step.kind === "session" ? step.commands.length : 1;
        }
      }
      await reader.stopServer();
      console.log(`${document}: ${commands} commands run, ${skipped.length} not`);
      for (const reason of skipped) console.log(`  not run: ${reason}`);
      expect(commands).toBeGreaterThan(10);
      expect(skipped.length).toBeLessThan(4);
    },
    TIMEOUT_MS,
  );
});

test("the README in Chinese shows the same commands, tables and links as that in English", () => {
  const [english, chinese] = ["README.md", "README.zh-CN.md"].map(textOf) as [string, string];
  expect(stepsOf(chinese)).toEqual(stepsOf(english));
  const linksOf = (text: string) =>
    [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!).sort();
  const others = (links: string[]) => links.filter((link) => !link.startsWith("README"));
  expect(others(linksOf(chinese))).toEqual(others(linksOf(english)));
  const shape = (text: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("|") || line.startsWith("#"))
      .map((line) => (line.startsWith("#") ? line.split(" ")[0] : line.split("|").length));
  expect(shape(chinese)).toEqual(shape(english));
  const figures = (text: string) => text.match(/\d+\.\d\d(?=[,\s|])/g);
  expect(figures(chinese)).toEqual(figures(english));
});
