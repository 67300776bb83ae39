import { expect, test } from "bun:test";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../support/folder.ts";
import { root } from "../support/server.ts";
import { breakages } from "./breakages.ts";

const RUNS_MAX = 3000;
const TIMEOUT_MS = 120_000;

/** What the campaign says; an error that is not the law's comes with its name. */
const patterns = {
  law: /^seed \d+: (?!\w+(Error|Broken|CannotStart)?: .*\n.* at )/,
  SQLite: /^seed \d+: StorageBroken: /,
  start: /^seed \d+: CannotStart: .* is damaged: /,
  arithmetic: /^seed \d+: RangeError: /,
};

/** A copy of the program and the simulation, to be changed. */
function copyOfProgram(): string {
  const folder = temporaryFolder();
  for (const part of ["src", "test/simulation", "test/support"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  for (const part of ["package.json", "tsconfig.json"])
    cpSync(join(root, part), join(folder, part));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

const program = copyOfProgram();

test.each(breakages)(
  "the simulation catches it when $title",
  async ({ file, find, replace, caughtBy }) => {
    const path = join(program, file);
    const sound = readFileSync(path, "utf8");
    expect(sound.split(find).length).toBe(2);
    writeFileSync(path, sound.replace(find, replace));
    try {
      const campaign = join(program, "test/simulation/campaign.ts");
      const command = [process.execPath, campaign, "--seed", "1", "--runs", String(RUNS_MAX)];
      const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
      const said = await child.stderr.text();
      const caught = patterns[caughtBy ?? "law"];
      expect([await child.exited, said]).toEqual([1, expect.stringMatching(caught)]);
    } finally {
      writeFileSync(path, sound);
    }
  },
  TIMEOUT_MS,
);
