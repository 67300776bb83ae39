/** docs/COMPATIBILITY.md: each command of Redis is where it belongs. */

import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RedisClient } from "bun";
import type { Command } from "../../../src/server/commands/command.ts";
import { commands } from "../../../src/server/commands/table.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { root } from "../../../testkit/process.ts";
import { whyNot } from "../../campaigns/differential/servers.ts";
import { startInMemory } from "../../support/server.ts";

const ofRedis = readFileSync(join(root, "test/campaigns/differential/redis-commands.txt"), "utf8")
  .trim()
  .split("\n");
const page = readFileSync(join(root, "docs/COMPATIBILITY.md"), "utf8");

/** The commands a section's table lists, each once: "CLIENT ID" as "client|id". */
function listedIn(title: string, column: number): string[] {
  const [, section] = page.split(`\n## ${title}\n`);
  const rows = section!.split("\n## ")[0]!.matchAll(/^\|(.*)\|$/gm);
  const cells = [...rows].map(([, row]) => row!.split("|")[column]!);
  return cells.flatMap((cell) =>
    [...cell.matchAll(/`([A-Z][A-Z_ -]*)`/g)].map(([, name]) =>
      name!.toLowerCase().replace(" ", "|"),
    ),
  );
}

const asRedis = listedIn("As Redis", 0);
const differently = listedIn("Differently", 0);
const notInRedis = listedIn("Not in Redis 7.0", 0);
const refused = listedIn("Refused", 1);

const ours = [...commands.values()].flatMap((command: Command) => [
  command.name,
  ...[...(command.subcommands?.values() ?? [])].map(({ name }) => name),
]);

/** Whether a command is listed, by its own name or, if refused, by that of its command. */
const isRefused = (name: string) => refused.includes(name) || refused.includes(name.split("|")[0]!);

const server = startInMemory();
const client = new RedisClient(`redis://127.0.0.1:${server.port}`);
afterAll(() => {
  client.close();
  return server.server.stop();
});

describe("COMPATIBILITY.md", () => {
  test("names each command of Redis 7.0 in one place", () => {
    const listed = [...asRedis, ...differently, ...refused];
    expect(listed.filter((name, at) => listed.indexOf(name) !== at)).toEqual([]);
    const places = (name: string) =>
      [asRedis.includes(name), differently.includes(name), isRefused(name)].filter(Boolean).length;
    expect(ofRedis.filter((name) => places(name) !== 1)).toEqual([]);
    expect(listed.filter((name) => !ofRedis.includes(name))).toEqual([]);
  });

  test("names each command that there is here where it belongs", () => {
    const known = [...asRedis, ...differently];
    expect(ours.filter((name) => ofRedis.includes(name)).sort()).toEqual(known.sort());
    expect(ours.filter((name) => !ofRedis.includes(name)).sort()).toEqual(notInRedis.sort());
  });

  test("names those as refused that are unknown here", async () => {
    for (const name of ofRedis.filter(isRefused)) {
      const [command, ...subcommand] = name.toUpperCase().split("|");
      const answer = client.send(command!, subcommand).then(
        (reply) => `not refused: ${JSON.stringify(reply)}`,
        (error: Error) => error.message,
      );
      const isOfOurs = commands.has(command!.toLowerCase());
      const expected = isOfOurs
        ? `unknown subcommand '${subcommand}'`
        : `unknown command '${command}'`;
      expect(await answer).toStartWith(`ERR ${expected}`);
    }
  });

  test("names those that a transaction refuses", () => {
    const [, line] = /- Not allowed: ([^:]*):/.exec(page)!;
    const named = [...line!.matchAll(/`([A-Z ]+)`/g)].map(([, name]) => name!.toLowerCase());
    const all = [...commands.values()].flatMap((command) => [
      command,
      ...(command.subcommands?.values() ?? []),
    ]);
    const banned = all.filter(({ flags }) => flags.includes("no_multi"));
    expect(banned.map(({ name }) => name.replace("|", " ")).sort()).toEqual(named.sort());
  });
});

test.skipIf(whyNot !== undefined)("redis-commands.txt lists what redis-server has", async () => {
  const path = join(temporaryFolder(), "socket");
  const args = ["--port", "0", "--unixsocket", path, "--save", ""];
  const redis = Bun.spawn(["redis-server", ...args], { stdin: "ignore", stdout: "pipe" });
  let log = "";
  for await (const bytes of redis.stdout) {
    log += new TextDecoder().decode(bytes);
    if (log.includes("ready to accept connections")) break;
  }
  const asked = Bun.spawnSync(["redis-cli", "-s", path, "COMMAND", "LIST"]);
  redis.kill("SIGKILL");
  await redis.exited;
  const listed = asked.stdout.toString().trim().split("\n");
  // A newer Redis has more of them.
  expect(ofRedis.filter((name) => !listed.includes(name))).toEqual([]);
  if (/version=7\.0\./.test(log)) expect(listed.sort()).toEqual([...ofRedis].sort());
});
