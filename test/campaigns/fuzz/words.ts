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

type Maker = (dice: Prng) => string[];

const name = (dice: Prng) => dice.pick(NAMES);
const number = (dice: Prng) => dice.pick(NUMBERS);
const pattern = (dice: Prng) => dice.pick(PATTERNS);
const strategy = (dice: Prng) =>
  dice.once(12) ? "x" : dice.pick([...strategyNames, "PRE-CLOSE", "Pre_Base"]);
const reuse = (dice: Prng) => (dice.once(3) ? ["reuse", dice.pick(["yes", "YES", "no", "x"])] : []);
const word = (dice: Prng) =>
  dice.pick([name, number, pattern, (): string => dice.pick(WORDS)])(dice);
const many = (dice: Prng, make: (dice: Prng) => string, most: number) =>
  Array.from({ length: 1 + dice.below(most) }, () => make(dice));
/** A text that no other request has. */
const token = (dice: Prng) => `token-${dice.below(2 ** 31).toString(36)}`;

/** Mostly right definitions, of all types and strategies. */
function definition(dice: Prng): string[] {
  const words = [dice.once(8) ? "HMSET" : "HSET", name(dice)];
  if (dice.once(20)) return [...words, ...many(dice, word, 6)];
  const type = dice.pick(["1", "2", "3", "3", "Increment"]);
  const pairs = [["type", dice.once(30) ? number(dice) : type]];
  if (type === "1" || type === "2")
    pairs.push(["length", dice.pick(["1", "2", "9", "17", "18", number(dice)])]);
  if (type !== "1" && dice.once(2)) pairs.push(["starting", number(dice)]);
  if (type !== "1" && dice.once(3)) pairs.push(["step", number(dice)]);
  if (!dice.once(3)) pairs.push(["auto_disk", strategy(dice)]);
  pairs.push(reuse(dice));
  if (dice.once(20)) pairs.push([dice.pick([...FIELDS, "x"]), word(dice)]);
  if (dice.once(3)) pairs.reverse();
  if (dice.once(40)) pairs.shift();
  return [...words, ...pairs.flat()];
}

/** Any command with anything behind it. */
function anything(dice: Prng): string[] {
  const command = dice.pick(all);
  const { subcommands } = command;
  const words = [command.name];
  if (subcommands !== undefined) {
    const heavy = command.name === "command" && !dice.once(8);
    if (heavy || !dice.once(8)) words.push(heavy ? "count" : dice.pick([...subcommands.keys()]));
  }
  return [...words, ...Array.from({ length: dice.pick([0, 1, 1, 2, 2, 3, 5]) }, () => word(dice))];
}
const all = [...commands.values()];

/** Passwords are mostly right. */
const password = (dice: Prng) => (dice.once(4) ? word(dice) : PASSWORD);
const user = (dice: Prng) => dice.pick(["default", "default", "part", "nobody"]);

function greeting(dice: Prng): string[] {
  const words = ["HELLO", dice.pick(["2", "3", "3", "3", number(dice)])];
  if (dice.once(3)) words.push("AUTH", user(dice), password(dice));
  if (dice.once(4)) words.push("SETNAME", word(dice));
  if (dice.once(20)) words.push(word(dice));
  if (dice.once(20)) words.length = 1;
  return words;
}

function scan(dice: Prng): string[] {
  const words = ["SCAN", dice.once(3) ? number(dice) : "0"];
  if (dice.once(2)) words.push("MATCH", pattern(dice));
  if (dice.once(2)) words.push("COUNT", dice.pick(["1", "3", "1000", number(dice)]));
  if (dice.once(6)) words.push("TYPE", dice.pick(["dispenser", "string"]));
  return words;
}

function kill(dice: Prng): string[] {
  const filter = dice.pick([
    ["ID", number(dice)],
    ["ADDR", "client:1"],
    ["USER", user(dice)],
    ["TYPE", "normal"],
    [word(dice)],
  ]);
  return ["CLIENT", "KILL", ...filter, ...(dice.once(3) ? ["SKIPME", "no"] : [])];
}

/** Lists of clients and of commands, and CLIENT TRACKING, whose options are as many. */
function listing(dice: Prng): string[] {
  return dice.pick([
    ["CLIENT", "LIST", "TYPE", dice.pick(["normal", "replica", word(dice)])],
    ["CLIENT", "LIST", "ID", ...many(dice, number, 3)],
    ["CLIENT", "SETINFO", dice.pick(["LIB-NAME", "lib-ver", "x"]), word(dice)],
    ["CLIENT", "TRACKING", dice.pick(["ON", "OFF"]), "REDIRECT", number(dice), "BCAST"],
    ["COMMAND", "LIST", "FILTERBY", "PATTERN", pattern(dice)],
    ["COMMAND", "LIST", "FILTERBY", dice.pick(["ACLCAT", "MODULE", "x"]), "take"],
    ["COMMAND", dice.pick(["INFO", "DOCS"]), "get", "client|list", word(dice)],
  ]);
}

/** How often each is made, against the others. */
const makers: readonly (readonly [weight: number, maker: Maker])[] = [
  [30, (dice) => ["GET", name(dice)]],
  [10, (dice) => ["GET", dice.pick(lineNames)]],
  [12, (dice) => ["ECHO", token(dice)]],
  [5, (dice) => ["PING", token(dice)]],
  [3, () => ["PING"]],
  [14, definition],
  [6, (dice) => ["MGET", ...many(dice, (): string => dice.pick(lineNames), 4)]],
  [2, (dice) => ["MGET", ...many(dice, name, 6)]],
  [4, (dice) => ["DEL", ...many(dice, name, 3)]],
  [3, (dice) => ["ADVANCE", name(dice), number(dice), ...(dice.once(3) ? ["FORCE"] : [])]],
  [3, (dice) => ["HSET", dice.pick(lineNames), "auto_disk", strategy(dice), ...reuse(dice)]],
  [1, (dice) => ["HSET", dice.pick(lineNames), "length", number(dice)]],
  [4, (dice) => ["INFO", name(dice)]],
  [1, (dice) => ["INFO", dice.pick(sections)]],
  [2, (dice) => ["EXISTS", ...many(dice, name, 4)]],
  [2, (dice) => ["TYPE", name(dice)]],
  [2, (dice) => ["HGETALL", name(dice)]],
  [2, (dice) => ["HGET", name(dice), dice.pick([...FIELDS, "x"])]],
  [1, () => ["DBSIZE"]],
  [1, (dice) => ["KEYS", pattern(dice)]],
  [2, scan],
  [7, () => ["MULTI"]],
  [7, () => ["EXEC"]],
  [1, () => ["DISCARD"]],
  [4, (dice) => ["CLIENT", "REPLY", dice.pick(["ON", "ON", "OFF", "SKIP", "SKIP", "x"])]],
  [3, greeting],
  [2, (dice) => ["AUTH", password(dice)]],
  [2, (dice) => ["AUTH", user(dice), password(dice)]],
  [1, () => ["RESET"]],
  [1, (dice) => ["SELECT", number(dice)]],
  [1, kill],
  [2, (dice) => ["CLIENT", dice.pick(["ID", "INFO", "GETNAME", "LIST", "NO-EVICT"])]],
  [1, (dice) => ["CLIENT", "SETNAME", word(dice)]],
  [1, listing],
  [1, (dice) => ["CONFIG", "GET", dice.pick([...configNames, "limits.*", "*s*"])]],
  [1, (dice) => ["CONFIG", "SET", dice.pick(configNames), dice.pick(["1024", number(dice)])]],
  [12, anything],
  [2, (dice) => many(dice, word, 4)],
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
  (dice) => ["host:", word(dice)],
  () => ["BACKUP", "/nowhere"],
];
const RARE_ONCE_IN = 120;

/** The words of a request: usually right, of any command. */
export function makeWords(dice: Prng): string[] {
  const words = dice.pick(dice.once(RARE_ONCE_IN) ? rare : weighted)(dice);
  if (dice.once(40)) words.push(word(dice));
  if (dice.once(40) && words.length > 1) words.pop();
  return words;
}
