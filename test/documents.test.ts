import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { loadConfig } from "../src/config.ts";
import { commands } from "../src/server/commands.ts";
import { settings } from "../src/settings.ts";
import { breakages } from "./simulation/breakages.ts";
import { temporaryFolder } from "./support/folder.ts";
import { fromSource, root, ServerProcess } from "./support/server.ts";

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

describe("an example of the README:", () => {
  const examples = (language: string) =>
    [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(
      ([, text]) => text!,
    );

  /** Runs a line in a shell, in a folder of its own. */
  function run(line: string, folder = temporaryFolder()) {
    const env = { ...process.env, NUMBER_DISPENSER_ADDR: `127.0.0.1:${server.port}` };
    const child = Bun.spawnSync(["sh", "-c", line], { cwd: folder, env });
    return {
      output: child.stdout.toString(),
      errors: child.stderr.toString(),
      status: child.exitCode,
    };
  }

  test("the settings are those of a server, with the user and the password it names", () => {
    const texts = examples("yaml");
    expect(texts).toHaveLength(1);
    const file = join(temporaryFolder(), "config.yaml");
    writeFileSync(file, texts[0]!);
    const { addr, tlsAddr, tlsClientCa, users, requirepass } = loadConfig(
      new Map([["config", file]]),
      {},
    );
    expect([addr.length + tlsAddr.length, tlsClientCa !== ""]).toEqual([3, true]);
    const [, printf] = /: (printf .*)$/m.exec(texts[0]!)!;
    expect(run(printf!).output).toStartWith(requirepass!.toString("hex"));
    expect(users.map(({ name }) => name)).toEqual(["shop"]);
    expect(requirepass).toEqual(users[0]!.passwordHash);
  });

  test("a backup is made and restored", () => {
    const lines = examples("sh")
      .find((text) => text.includes("backup"))!
      .trim()
      .split("\n");
    const folder = temporaryFolder();
    const program = fromSource.map((word) => `'${word}'`).join(" ");
    const here = (line: string) =>
      line.replace(/^number-dispenser/, program).replaceAll("/backups/", `${folder}/`);
    const [made, restored] = lines.map((line) => run(here(line), folder));
    expect(made).toMatchObject({ errors: "", status: 0 });
    expect(restored).toMatchObject({ errors: "", status: 0 });
    expect(existsSync(join(folder, "data/number-dispenser.db"))).toBe(true);
  });

  test("a dispenser of yours is measured", async () => {
    const [, line] = /`(redis-benchmark [^`]*)`/.exec(readme)!;
    await typed("HSET order_id type 3 starting 1000 auto_disk pre_close");
    const small = line!.replace("6380", String(server.port)).replace("200000", "1000");
    expect(run(small)).toMatchObject({ errors: "", status: 0 });
  });
});

test("the README has each limit, its default, and whether it may be changed", () => {
  const limits = Object.values(settings).filter(({ path }) => path.startsWith("limits."));
  const rows = [...readme.matchAll(/^\| `([a-z_]+)`( \*)? \| (\d+) /gm)];
  expect(
    rows.map(([, name, star, unset]) => [`limits.${name}`, star !== undefined, unset!]),
  ).toEqual(limits.map(({ path, isLive, unset }) => [path, isLive === true, unset]));
});

test("the README says what each right is for", () => {
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
  for (const [right, names] of found) {
    const [, row] = new RegExp(`^\\| \`${right}\` \\| (.*) \\|$`, "m").exec(readme)!;
    expect([...row!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!).sort()).toEqual(names);
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
