/** What the scripts of package.json stand on. */

import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shortfalls } from "../../scripts/coverage.ts";
import { temporaryFolder } from "../../testkit/folder.ts";
import { root } from "../../testkit/process.ts";

describe("scripts/run.ts", () => {
  /** A project with this script and one program; without node_modules. */
  function project(): string {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "scripts"));
    cpSync(join(root, "scripts/run.ts"), join(folder, "scripts/run.ts"));
    writeFileSync(join(folder, "package.json"), '{ "name": "x" }');
    writeFileSync(
      join(folder, "program.ts"),
      `console.log(JSON.stringify([process.pid, process.cwd(), ...process.argv.slice(2)]));
       if (process.argv[2] === "wait") setInterval(() => {}, 1000);
       else process.exit(7);`,
    );
    return folder;
  }

  const start = (folder: string, ...args: string[]) =>
    Bun.spawn([process.execPath, join(folder, "scripts/run.ts"), ...args], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
    });

  test("becomes the program: arguments, folder, process and exit status are its own", async () => {
    const folder = project();
    const child = start(folder, "--production", "program.ts", "-a", "b c");
    const said = JSON.parse(await child.stdout.text());
    expect(said).toEqual([child.pid, folder, "-a", "b c"]);
    expect(await child.exited).toBe(7);
  });

  test("signals are the program's", async () => {
    const child = start(project(), "program.ts", "wait");
    for await (const _ of child.stdout) break;
    child.kill("SIGTERM");
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
  });

  test("says what is no program", async () => {
    const child = Bun.spawnSync([process.execPath, "scripts/run.ts", "nonsense"], { cwd: root });
    expect([child.exitCode, child.stderr.toString()]).toEqual([
      2,
      "nonsense is neither a file of TypeScript nor a program of node_modules\n",
    ]);
  });
});

test("coverage is held by the folder: a file may have less, a folder may not", () => {
  const file = (path: string, lines: number, functions: number) =>
    `SF:${path}\nFNF:10\nFNH:${functions}\nLF:100\nLH:${lines}\nend_of_record\n`;
  const well = file("src/a/x.ts", 80, 8) + file("src/a/y.ts", 100, 10) + file("src/b.ts", 90, 9);
  expect(shortfalls(well)).toEqual([]);
  expect(shortfalls(well + file("src/c/z.ts", 89, 8))).toEqual([
    "the tests run 89 of 100 lines of src/c: under 90 %",
    "the tests run 8 of 10 functions of src/c: under 90 %",
  ]);
  expect(shortfalls("")).toHaveLength(1);
});

test("every script of package.json runs a file that is there", async () => {
  const { scripts } = (await Bun.file(join(root, "package.json")).json()) as {
    scripts: Record<string, string>;
  };
  for (const [name, script] of Object.entries(scripts)) {
    expect(script).toStartWith("bun scripts/run.ts ");
    const [file] = /\S+\.ts\b/.exec(script.slice("bun scripts/run.ts ".length)) ?? [];
    if (file !== undefined) expect([name, existsSync(join(root, file))]).toEqual([name, true]);
  }
});
