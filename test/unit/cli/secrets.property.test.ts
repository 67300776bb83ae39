/** No password of a URL leaves the program, wherever it stands and whatever is wrong with the rest. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { messageOf } from "../../../src/cli/ending.ts";
import { runCommand } from "../../../src/cli/run.ts";
import { openLeaseStore } from "../../../src/cluster/stores/open.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, root } from "../../../testkit/process.ts";

const dataDir = join(temporaryFolder(), "data");
const environment = { NUMBER_DISPENSER_DATA: dataDir };

const schemes = [
  "redis",
  "rediss",
  "postgres",
  "postgresql",
  "etcd",
  "mysql",
  "http",
  "redis+unix",
  "x",
];
const marks = [
  "/",
  "#",
  "?",
  "@",
  "%",
  "%zz",
  ":",
  "%40",
  " ",
  "\n",
  "'",
  "[",
  "]",
  ",",
  "\\",
  "é",
  "!",
];
/** A password: one that can be found again, between marks. */
const passwords = fc
  .tuple(
    fc.array(fc.constantFrom(...marks), { maxLength: 2 }),
    fc.array(fc.constantFrom(...marks), { maxLength: 2 }),
  )
  .map(([before, after]) => `${before.join("")}SECRET${after.join("")}`);
/** Whatever comes after the user's name; nothing listens at port 1. */
const urls = fc
  .record({
    scheme: fc.constantFrom(...schemes),
    slashes: fc.constantFrom("://", "://", "://", ":/", ":", ":///"),
    user: fc.constantFrom("u:", ":", "u%zz:", "u#:", "u/:", "@:"),
    password: passwords,
    host: fc.constantFrom(
      "@127.0.0.1:1",
      "@127.0.0.1:1",
      "@127.0.0.1",
      "@:x",
      "@[::1",
      "@127.0.0.1:99999",
      "@",
      "@,",
    ),
    rest: fc.constantFrom("", "/", "/db", "/0", "/db?sslmode=x", "?what=1", "#x", "/%zz", "/a@b"),
  })
  .map(({ scheme, slashes, user, password, host, rest }) =>
    [scheme, slashes, user, password, host, rest].join(""),
  );

/** All that the program writes of a command line, as main.ts does; the server stops at its settings. */
async function outputOf(
  argv: readonly string[],
  more: Record<string, string> = {},
): Promise<string> {
  const all = { ...environment, ...more };
  try {
    const invocation = parseArguments(argv);
    const said = await runCommand(invocation, all);
    if (said !== undefined) return said.text;
    const { store } = loadConfig(invocation.flags, all);
    if (store !== "") {
      const opened = openLeaseStore(store);
      await opened.close();
      return opened.title;
    }
    return "";
  } catch (error) {
    return messageOf(error);
  }
}

const ways: Record<string, (url: string) => Promise<string>> = {
  "-redis": (url) => outputOf(["import", "-redis", url]),
  "the variable of -redis": (url) => outputOf(["import"], { NUMBER_DISPENSER_REDIS: url }),
  "-store of the server": (url) => outputOf(["-store", url]),
  "-store of init": (url) => outputOf(["init", "-store", url]),
  "the variable of the store": (url) =>
    outputOf(["health", "-addr", "127.0.0.1:1"], { NUMBER_DISPENSER_STORE: url }),
  "a flag that is none": (url) => outputOf([`-stroe=${url}`]),
  "a flag with a capital": (url) => outputOf([`-Store=${url}`]),
  "an operand": (url) => outputOf(["import", url]),
  "a second operand": (url) => outputOf(["backup", "x", url]),
  "a node": (url) => outputOf(["cluster", "forget", url, "-store", "etcd://127.0.0.1:1"]),
  "no command": (url) => outputOf([url]),
  "an address": (url) => outputOf(["health", "-addr", url]),
  "a folder": (url) => outputOf(["repair", "-data", url]),
  "a file of settings": (url) => outputOf(["repair", "-config", url]),
  "a margin": (url) => outputOf(["restore", "x", "-margin", url, "-confirm"]),
  "a limit": (url) => outputOf(["health", "-timeout", url]),
  "a strategy": (url) => outputOf(["import", "-redis", "redis://127.0.0.1:1", "-strategy", url]),
  "an unquoted line of the file": (url) => {
    const file = join(temporaryFolder(), "config.yaml");
    writeFileSync(file, `storage:\n  store:${url}\n  data_dir: x\n`);
    return outputOf(["init", "-config", file]);
  },
};

const isClean = (output: string) => !/SECRET|secret/.test(output) && !/\n\s+at /.test(output);

describe("no password is shown", () => {
  test.each(Object.entries(ways))("of %s", async (_, way) => {
    await fc.assert(
      fc.asyncProperty(urls, async (url) => {
        const output = await way(url);
        if (!isClean(output)) throw new Error(`${url}: ${output}`);
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ...["redis:///u:SECRET@:x", "etcd://u:SECRET%zz@h", "postgres://u:p#SECRET@h/db"],
    ...["postgres://u:SECRET%zz@h", "postgres://u:SECRET/x@h", "mysql://u:SECRET@h"],
  ])("by the program itself: %s", (url) => {
    for (const args of [
      ["import", "-redis", url],
      ["cluster", "nodes", "-store", url],
      ["-store", url],
    ]) {
      const { exitCode, stdout, stderr } = Bun.spawnSync([...fromSource, ...args], { cwd: root });
      const output = `${stdout}${stderr}`;
      expect([exitCode, isClean(output)]).toEqual([2, true]);
      expect(output).toMatch(
        /^number-dispenser: -(redis|store): it must be .* percent-encoded .*\n$/,
      );
    }
  });
});
