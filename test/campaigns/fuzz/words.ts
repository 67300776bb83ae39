/** Requests as words: of every command right and wrong ones, and what stands for an argument. */

import { keys } from "../../../src/config/load.ts";
import { settings } from "../../../src/config/settings.ts";
import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { commands } from "../../../src/server/commands/table.ts";
import type { Prng } from "../../../testkit/prng.ts";
import { lineNames } from "./invariants.ts";
import { PASSWORD } from "./server.ts";

export const NUMBERS = [
  "0",
  "1",
  "2",
  "3",
  "9",
  "10",
  "18",
  "19",
  "999999999999999999",
  "1000000000000000000",
  "9007199254740992",
  "9007199254740993",
  "9223372036854775806",
  "9223372036854775807",
  "9223372036854775808",
  "18446744073709551615",
  "18446744073709551616",
  "99999999999999999999999999",
  "-1",
  "-9223372036854775808",
  "00",
  "01",
  "+1",
  "1e3",
  "0x10",
  "1.5",
  " 1",
  "",
  "x",
] as const;

const NAMES = [
  ...lineNames,
  ...lineNames,
  "a",
  "a",
  "b",
  "c",
  "c",
  "order:{42}",
  "n\xc3\xa4me",
  "server",
  "\xf0\x9f\x98\x80",
  "x".repeat(99),
  "x".repeat(255),
  "x".repeat(256),
  "",
  "a b",
  "\xff",
  "a\x00",
];

const PATTERNS = [
  "*",
  "a",
  "pre*",
  "*:[0-9]",
  "[^a-c]*",
  "[z-a]?*",
  "[",
  "[]",
  "\\",
  "\\*",
  "?",
  "**a**b**",
  `${"*a".repeat(40)}b`,
  "[\\]-a",
  "",
];

const WORDS = [...PATTERNS, "ON", "off", "SKIP", "yes", "no", "\r\n", "\x00", 'x"y', "x'y", "\x0b"];

const configNames = [...keys.map((key) => settings[key].redisName ?? settings[key].path), "save"];
const sections = ["server", "clients", "stats", "replication", "dispensers", "keyspace", "nosuch"];
const FIELDS = ["type", "length", "starting", "step", "auto_disk", "reuse"];

type Maker = (prng: Prng) => string[];

const name = (prng: Prng) => prng.pick(NAMES);
const number = (prng: Prng) => prng.pick(NUMBERS);
const pattern = (prng: Prng) => prng.pick(PATTERNS);
const strategy = (prng: Prng) =>
  prng.once(12) ? "x" : prng.pick([...strategyNames, "PRE-CLOSE", "Pre_Base"]);
const reuse = (prng: Prng) => (prng.once(3) ? ["reuse", prng.pick(["yes", "YES", "no", "x"])] : []);
const word = (prng: Prng) =>
  prng.pick([name, number, pattern, (): string => prng.pick(WORDS)])(prng);
const many = (prng: Prng, make: (prng: Prng) => string, most: number) =>
  Array.from({ length: 1 + prng.below(most) }, () => make(prng));
/** A text that no other request has. */
const token = (prng: Prng) => `token-${prng.below(2 ** 31).toString(36)}`;

/** Mostly right definitions, of all types and strategies. */
function definition(prng: Prng): string[] {
  const words = [prng.once(8) ? "HMSET" : "HSET", name(prng)];
  if (prng.once(20)) return [...words, ...many(prng, word, 6)];
  const type = prng.pick(["1", "2", "3", "3", "Increment"]);
  const pairs = [["type", prng.once(30) ? number(prng) : type]];
  if (type === "1" || type === "2")
    pairs.push(["length", prng.pick(["1", "2", "9", "17", "18", number(prng)])]);
  if (type !== "1" && prng.once(2)) pairs.push(["starting", number(prng)]);
  if (type !== "1" && prng.once(3)) pairs.push(["step", number(prng)]);
  if (!prng.once(3)) pairs.push(["auto_disk", strategy(prng)]);
  pairs.push(reuse(prng));
  if (prng.once(20)) pairs.push([prng.pick([...FIELDS, "x"]), word(prng)]);
  if (prng.once(3)) pairs.reverse();
  if (prng.once(40)) pairs.shift();
  return [...words, ...pairs.flat()];
}

/** Any command with anything behind it. */
function anything(prng: Prng): string[] {
  const command = prng.pick(all);
  const { subcommands } = command;
  const words = [command.name];
  if (subcommands !== undefined) {
    const heavy = command.name === "command" && !prng.once(8);
    if (heavy || !prng.once(8)) words.push(heavy ? "count" : prng.pick([...subcommands.keys()]));
  }
  return [...words, ...Array.from({ length: prng.pick([0, 1, 1, 2, 2, 3, 5]) }, () => word(prng))];
}
const all = [...commands.values()];

/** Passwords are mostly right. */
const password = (prng: Prng) => (prng.once(4) ? word(prng) : PASSWORD);
const user = (prng: Prng) => prng.pick(["default", "default", "part", "nobody"]);

function greeting(prng: Prng): string[] {
  const words = ["HELLO", prng.pick(["2", "3", "3", "3", number(prng)])];
  if (prng.once(3)) words.push("AUTH", user(prng), password(prng));
  if (prng.once(4)) words.push("SETNAME", word(prng));
  if (prng.once(20)) words.push(word(prng));
  if (prng.once(20)) words.length = 1;
  return words;
}

function scan(prng: Prng): string[] {
  const words = ["SCAN", prng.once(3) ? number(prng) : "0"];
  if (prng.once(2)) words.push("MATCH", pattern(prng));
  if (prng.once(2)) words.push("COUNT", prng.pick(["1", "3", "1000", number(prng)]));
  if (prng.once(6)) words.push("TYPE", prng.pick(["dispenser", "string"]));
  return words;
}

function kill(prng: Prng): string[] {
  const filter = prng.pick([
    ["ID", number(prng)],
    ["ADDR", "client:1"],
    ["USER", user(prng)],
    ["TYPE", "normal"],
    [word(prng)],
  ]);
  return ["CLIENT", "KILL", ...filter, ...(prng.once(3) ? ["SKIPME", "no"] : [])];
}

/** Lists of clients and of commands, and CLIENT TRACKING, whose options are as many. */
function listing(prng: Prng): string[] {
  return prng.pick([
    ["CLIENT", "LIST", "TYPE", prng.pick(["normal", "replica", word(prng)])],
    ["CLIENT", "LIST", "ID", ...many(prng, number, 3)],
    ["CLIENT", "SETINFO", prng.pick(["LIB-NAME", "lib-ver", "x"]), word(prng)],
    ["CLIENT", "TRACKING", prng.pick(["ON", "OFF"]), "REDIRECT", number(prng), "BCAST"],
    ["COMMAND", "LIST", "FILTERBY", "PATTERN", pattern(prng)],
    ["COMMAND", "LIST", "FILTERBY", prng.pick(["ACLCAT", "MODULE", "x"]), "take"],
    ["COMMAND", prng.pick(["INFO", "DOCS"]), "get", "client|list", word(prng)],
  ]);
}

/** How often each is made, against the others. */
const makers: readonly (readonly [weight: number, maker: Maker])[] = [
  [30, (prng) => ["GET", name(prng)]],
  [10, (prng) => ["GET", prng.pick(lineNames)]],
  [12, (prng) => ["ECHO", token(prng)]],
  [5, (prng) => ["PING", token(prng)]],
  [3, () => ["PING"]],
  [14, definition],
  [6, (prng) => ["MGET", ...many(prng, (): string => prng.pick(lineNames), 4)]],
  [2, (prng) => ["MGET", ...many(prng, name, 6)]],
  [4, (prng) => ["DEL", ...many(prng, name, 3)]],
  [3, (prng) => ["ADVANCE", name(prng), number(prng), ...(prng.once(3) ? ["FORCE"] : [])]],
  [3, (prng) => ["HSET", prng.pick(lineNames), "auto_disk", strategy(prng), ...reuse(prng)]],
  [1, (prng) => ["HSET", prng.pick(lineNames), "length", number(prng)]],
  [4, (prng) => ["INFO", name(prng)]],
  [1, (prng) => ["INFO", prng.pick(sections)]],
  [2, (prng) => ["EXISTS", ...many(prng, name, 4)]],
  [2, (prng) => ["TYPE", name(prng)]],
  [2, (prng) => ["HGETALL", name(prng)]],
  [2, (prng) => ["HGET", name(prng), prng.pick([...FIELDS, "x"])]],
  [1, () => ["DBSIZE"]],
  [1, (prng) => ["KEYS", pattern(prng)]],
  [2, scan],
  [7, () => ["MULTI"]],
  [7, () => ["EXEC"]],
  [1, () => ["DISCARD"]],
  [4, (prng) => ["CLIENT", "REPLY", prng.pick(["ON", "ON", "OFF", "SKIP", "SKIP", "x"])]],
  [3, greeting],
  [2, (prng) => ["AUTH", password(prng)]],
  [2, (prng) => ["AUTH", user(prng), password(prng)]],
  [1, () => ["RESET"]],
  [1, () => ["READY"]],
  [1, (prng) => ["SELECT", number(prng)]],
  [1, kill],
  [2, (prng) => ["CLIENT", prng.pick(["ID", "INFO", "GETNAME", "LIST", "NO-EVICT"])]],
  [1, (prng) => ["CLIENT", "SETNAME", word(prng)]],
  [1, listing],
  [1, (prng) => ["CONFIG", "GET", prng.pick([...configNames, "limits.*", "*s*"])]],
  [1, (prng) => ["CONFIG", "SET", prng.pick(configNames), prng.pick(["1024", number(prng)])]],
  [12, anything],
  [2, (prng) => many(prng, word, 4)],
];

/** Each as often as its weight says. */
const weighted: readonly Maker[] = makers.flatMap(([weight, maker]) =>
  Array.from({ length: weight }, () => maker),
);

/** Those that end a connection, or take much longer than others. */
const rare: readonly Maker[] = [
  () => ["QUIT"],
  () => ["SHUTDOWN"],
  () => ["COMMAND"],
  () => ["COMMAND", "DOCS"],
  () => ["INFO"],
  () => ["POST", "/"],
  (prng) => ["host:", word(prng)],
  () => ["BACKUP", "/nowhere"],
];
const RARE_ONCE_IN = 120;

/** The words of a request: usually right, of any command. */
export function makeWords(prng: Prng): string[] {
  const words = prng.pick(prng.once(RARE_ONCE_IN) ? rare : weighted)(prng);
  if (prng.once(40)) words.push(word(prng));
  if (prng.once(40) && words.length > 1) words.pop();
  return words;
}
