import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { loadConfig } from "../src/config.ts";
import { Access } from "../src/server/access.ts";
import { commands } from "../src/server/commands.ts";
import { breakages } from "./simulation/breakages.ts";
import { temporaryFolder } from "./support/folder.ts";
import { root, ServerProcess } from "./support/server.ts";

const documents = ["README.md", ...new Glob("docs/*.md").scanSync(root)];
const readme = readFileSync(join(root, "README.md"), "utf8");
const PROMPT = "127.0.0.1:6380> ";

const server = await ServerProcess.start();
afterAll(() => server.end("SIGTERM"));

/** What redis-cli shows on a terminal for one command. */
async function typed(command: string): Promise<string> {
  const cli = Bun.spawn(["redis-cli", "-p", String(server.port), "--no-raw"], {
    stdin: new Blob([`${command}\n`]),
    stdout: "pipe",
  });
  return (await cli.stdout.text()).replaceAll("\r\n", "\n").trimEnd();
}

/** Random numbers are compared by their shape. */
const shape = (text: string) => text.replace(/^"\d{12}"$/gm, '"############"');

describe("the session of the README, typed into redis-cli", () => {
  const session = /```console\n([\s\S]*?)```/.exec(readme)![1]!;
  const steps = session
    .split(PROMPT)
    .slice(1)
    .map((step) => {
      const [command, ...output] = step.trimEnd().split("\n");
      return { command: command!, output: output.join("\n") };
    });

  test("has the commands of a first day", () => {
    expect(steps.length).toBeGreaterThan(10);
  });

  test("shows what it says, step by step", async () => {
    for (const { command, output } of steps) {
      expect(`${command}\n${shape(await typed(command))}`).toBe(`${command}\n${shape(output)}`);
    }
  });
});

test("the README names every command", () => {
  for (const name of commands.keys()) expect(readme).toContain(`\`${name.toUpperCase()}`);
});

test("the YAML examples of the README are settings", () => {
  for (const [, example] of readme.matchAll(/```yaml\n([\s\S]*?)```/g)) {
    const file = join(temporaryFolder(), "config.yaml");
    writeFileSync(file, example!);
    const { users } = loadConfig(new Map([["config", file]]), {});
    expect(
      new Access({ requirepass: undefined, users }).logIn("shop", "secret", ""),
    ).toHaveProperty("user");
  }
});

test("links between documents and files lead somewhere", () => {
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8");
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      expect([document, target, existsSync(join(root, dirname(document), target!))]).toEqual([
        document,
        target,
        true,
      ]);
    }
  }
});

test("commands that documents tell to run are there", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8");
    for (const [, script] of text.matchAll(/\bbun run\s+([a-z][a-z:]*)/g))
      expect([document, script, script! in scripts]).toEqual([document, script, true]);
  }
});

test("files of tests that documents name are there", () => {
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8");
    for (const [, path] of text.matchAll(/`((?:test|src|bench|config)\/[a-z/-]+\.[a-z]+)`/g))
      expect([document, path, existsSync(join(root, path!))]).toEqual([document, path, true]);
  }
});

test("GUARANTEES.md names every breakage that the simulation has to catch", () => {
  const text = readFileSync(join(root, "docs/GUARANTEES.md"), "utf8");
  for (const { title, file } of breakages) expect(text).toContain(`| ${title} | \`${file}\` | `);
});
