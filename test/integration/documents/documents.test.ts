import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { REFERENCE, reference } from "../../../scripts/reference.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { settings } from "../../../src/config/settings.ts";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { commands } from "../../../src/server/commands/table.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, root, ServerProcess } from "../../../testkit/process.ts";
import { mutations } from "../../campaigns/simulation/mutations.ts";
import { blocksOf } from "./steps.ts";

const documents = ["*.md", "docs/*.md"].flatMap((pattern) => [...new Glob(pattern).scanSync(root)]);
const textOf = (document: string) => readFileSync(join(root, document), "utf8");
const [readme, commandsPage, deployment] = [
  "README.md",
  "docs/COMMANDS.md",
  "docs/DEPLOYMENT.md",
].map(textOf) as [string, string, string];

test("COMMANDS names every command", () => {
  for (const name of commands.keys()) expect(commandsPage).toContain(`\`${name.toUpperCase()}`);
});

test("CONFIGURATION is what the program's tables say", () => {
  // `bun scripts/reference.ts` writes it.
  expect(readFileSync(REFERENCE, "utf8")).toBe(reference());
});

test("the settings of DEPLOYMENT are those of a server, with the user and the password it names", () => {
  const texts = blocksOf(deployment, "yaml");
  expect(texts).toHaveLength(1);
  const file = join(temporaryFolder(), "config.yaml");
  writeFileSync(file, texts[0]!);
  const { addr, tlsAddr, tlsClientCa, users, requirepass } = loadConfig(
    new Map([["config", file]]),
    {},
  );
  expect([addr.length + tlsAddr.length, tlsClientCa !== ""]).toEqual([3, true]);
  const [, printf] = /: (printf .*)$/m.exec(texts[0]!)!;
  expect(Bun.spawnSync(["sh", "-c", printf!]).stdout.toString()).toStartWith(
    requirepass!.toString("hex"),
  );
  expect(users.map(({ name }) => name)).toEqual(["shop"]);
  expect(requirepass).toEqual(users[0]!.passwordHash);
});

test("the backup of DEPLOYMENT is made and restored", async () => {
  const server = await ServerProcess.start();
  const lines = blocksOf(deployment, "sh")
    .find((text) => text.includes("backup"))!
    .trim()
    .split("\n");
  const folder = temporaryFolder();
  const program = fromSource.map((word) => `'${word}'`).join(" ");
  const env = { ...process.env, NUMBER_DISPENSER_ADDR: `127.0.0.1:${server.port}` };
  const run = (line: string) => {
    const here = line.replace(/^number-dispenser/, program).replaceAll("/backups/", `${folder}/`);
    const { stderr, exitCode } = Bun.spawnSync(["sh", "-c", here], { cwd: folder, env });
    return { errors: stderr.toString(), status: exitCode };
  };
  expect(lines.map(run)).toEqual([
    { errors: "", status: 0 },
    { errors: "", status: 0 },
  ]);
  expect(existsSync(join(folder, "data/number-dispenser.db"))).toBe(true);
  await server.end("SIGTERM");
});

test("the README's figures of speed are those that were measured", () => {
  const performance = textOf("docs/PERFORMANCE.md");
  const page = (deep: number) => {
    const [, rest] = performance.split(`### 50 clients, ${deep} deep\n`);
    return rest!.split("\n### ")[0]!;
  };
  const rows = [...readme.matchAll(/^\| `(\S+)` \| ([\d., ]+) \| ([\d., ]+) \|$/gm)];
  expect(rows.map(([, strategy]) => strategy!).sort()).toEqual([...strategyNames].sort());
  for (const [, strategy, toMemory, toAlways] of rows) {
    const measured = [1, 16, 64].map((deep) => {
      const row = page(deep)
        .split("\n")
        .find((line) => line.startsWith(`| GET, type 3, \`${strategy}\` |`))!;
      const cells = row.split(" | ");
      const median = (cell: string) => cell.split(" ")[0]!;
      return [median(cells[7]!), median(cells[5]!)];
    });
    expect([strategy, toMemory]).toEqual([strategy, measured.map(([memory]) => memory).join(", ")]);
    expect([strategy, toAlways]).toEqual([
      strategy,
      measured.map(([, always]) => always).join(", "),
    ]);
    const inStrategies = new RegExp(
      `^\\| \`${strategy}\` .* ${toAlways!.replaceAll(".", "\\.")} \\|$`,
      "m",
    );
    expect(textOf("docs/STRATEGIES.md")).toMatch(inStrategies);
  }
});

test("a start with a million dispensers takes what was measured", () => {
  const [, table] = textOf("docs/PERFORMANCE.md").split("### 1,000,000 dispensers\n");
  const starts = [...table!.split("\n### ")[0]!.matchAll(/^\| `\w.*?\| ([\d,]+) \|/gm)]
    .map(([, ms]) => Number(ms!.replace(",", "")) / 1000)
    .sort((one, other) => one - other);
  const said = `${starts[0]!.toFixed(1)} to ${starts.at(-1)!.toFixed(1)} s`;
  for (const page of ["ARCHITECTURE", "DEPLOYMENT", "FAQ"])
    expect(textOf(`docs/${page}.md`)).toContain(said);
});

test("DEPLOYMENT says of each limit what happens there", () => {
  const [, section] = deployment.split("\n## Limits\n");
  const table = section!.split("\n## ")[0]!;
  const named = [...table.matchAll(/^\| (`[a-z_`, ]+) \|/gm)]
    .flatMap(([, names]) => names!.match(/[a-z_]+/g)!)
    .filter((name) => name !== "limits");
  const limits = Object.values(settings).flatMap(
    ({ path }) => /^limits\.(.*)/.exec(path)?.[1] ?? [],
  );
  expect(named.sort()).toEqual(limits.sort());
});

test("COMMANDS says what each right is for", () => {
  const all = [...commands.values()].flatMap((command) => [
    command,
    ...(command.subcommands?.values() ?? []),
  ]);
  const found = new Map<string, string[]>();
  for (const { name, right } of all) {
    if (right === undefined) continue;
    found.set(right, [...(found.get(right) ?? []), name.toUpperCase().replace("|", " ")].sort());
  }
  // INFO asks for it by itself, where a dispenser has the name.
  found.set("inspect", [...found.get("inspect")!, "INFO name"].sort());
  // HSET asks for it where it is given the word.
  found.set("manage", [...found.get("manage")!, "reuse yes"].sort());
  for (const [right, names] of found) {
    const [, row] = new RegExp(`^\\| \`${right}\` \\| (.*) \\|$`, "m").exec(commandsPage)!;
    expect([...row!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!).sort()).toEqual(names);
  }
});

describe("links", () => {
  /** As GitHub makes the anchor of a heading. */
  const anchorsOf = (text: string) =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );

  test.each(documents)("of %s lead somewhere", (document) => {
    const text = textOf(document);
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file, anchor] = target!.split("#") as [string, string | undefined];
      const path = file === "" ? join(root, document) : join(root, dirname(document), file);
      expect([target, existsSync(path)]).toEqual([target, true]);
      if (anchor !== undefined) expect(anchorsOf(readFileSync(path, "utf8"))).toContain(anchor);
    }
  });

  test("go to every document", () => {
    const linked = documents.flatMap((document) =>
      [...textOf(document).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, file]) =>
        join(dirname(document), file!),
      ),
    );
    for (const document of documents) expect(linked).toContain(document);
  });
});

test("commands that documents tell to run are there", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const document of documents) {
    const text = textOf(document);
    for (const [, script] of text.matchAll(/\bbun(?:@[\d.]+)? run\s+([a-z][a-z:-]*)/g))
      expect([document, script, script! in scripts]).toEqual([document, script, true]);
  }
});

test("files of tests that documents name are there", () => {
  for (const document of documents) {
    const text = textOf(document);
    for (const [, path] of text.matchAll(/`((?:test|src|bench|config|deploy)\/[a-z/-]+\.[a-z]+)`/g))
      expect([document, path, existsSync(join(root, path!))]).toEqual([document, path, true]);
  }
});

test("GUARANTEES.md names every mutation that the simulation has to catch", () => {
  const text = textOf("docs/GUARANTEES.md");
  for (const { title, file } of mutations) expect(text).toContain(`| ${title} | \`${file}\` | `);
});
