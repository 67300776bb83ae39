/** What the reply of each command may look like, as contract.md and Redis have it. */

import type { Reply } from "./replies.ts";

export type Version = 2 | 3;

export interface Shape {
  /** How many words a request has, that of the command included. */
  readonly words: readonly [least: number, most: number];
  /** Whether this is a reply, where it is no error, to the words behind the command. */
  readonly fits: (reply: Reply, args: readonly string[], version: Version) => boolean;
  /** Whether it has to succeed for everybody who has logged in. */
  readonly succeeds?: boolean;
  /** Whether it is refused between MULTI and EXEC. */
  readonly isAlone?: boolean;
}

const ANY = Number.POSITIVE_INFINITY;

type Fits = Shape["fits"];

const simple =
  (text: string): Fits =>
  (reply) =>
    reply.type === "simple" && reply.text === text;
const ok = simple("OK");
const bulk: Fits = ({ type }) => type === "bulk";
const integer: Fits = ({ type }) => type === "integer";
/** How many of the names: from none to all. */
const countOfArgs: Fits = ({ type, text }, args) =>
  type === "integer" && Number(text) >= 0 && Number(text) <= args.length;
const verbatim: Fits = ({ type }, _, version) => type === (version === 3 ? "verbatim" : "bulk");
const map: Fits = ({ type, items }, _, version) =>
  version === 3 ? type === "map" : type === "array" && items.length % 2 === 0;
const array: Fits = ({ type }) => type === "array";
const bulks: Fits = ({ type, items }) => type === "array" && items.every(isBulk);
const nothing: Fits = ({ type }, _, version) => type === (version === 3 ? "null" : "null bulk");
const never: Fits = () => false;
/** HELP. */
const lines: Fits = ({ type, items }) =>
  type === "array" && items.every((item) => item.type === "simple");

function isBulk(reply: Reply): boolean {
  return reply.type === "bulk";
}

export function isNumber({ type, text }: Reply): boolean {
  return type === "bulk" && /^[0-9]{1,19}$/.test(text);
}

const SECTIONS =
  /^(server|clients|memory|persistence|stats|cpu|replication|dispensers|keyspace|all|default|everything)$/i;

/** A dispenser's figures, or sections: those that are asked for. */
const figures: Fits = (reply, args, version) => {
  if (!verbatim(reply, args, version)) return false;
  const text = version === 3 ? reply.text.slice(4) : reply.text;
  return args.length !== 1 || text.startsWith(SECTIONS.test(args[0]!) ? "" : `name:${args[0]}\r\n`);
};

const shapes: Readonly<Record<string, Shape>> = {
  hset: { words: [4, ANY], fits: integer },
  hmset: { words: [4, ANY], fits: ok },
  get: { words: [2, 2], fits: isNumber },
  mget: {
    words: [2, ANY],
    fits: ({ type, items }, args) =>
      type === "array" && items.length === args.length && items.every(isNumber),
  },
  del: { words: [2, ANY], fits: countOfArgs },
  advance: { words: [3, ANY], fits: isNumber },
  period: { words: [3, ANY], fits: isNumber },
  peek: {
    words: [2, ANY],
    fits: (reply, args) =>
      args.length === 1
        ? isNumber(reply)
        : reply.type === "array" && reply.items.length > 0 && reply.items.every(isNumber),
  },
  verify: {
    words: [3, 3],
    fits: ({ type, text }) => type === "integer" && /^[01]$/.test(text),
  },
  hgetall: { words: [2, 2], fits: map },
  hget: { words: [3, 3], fits: (...given) => isBulk(given[0]) || nothing(...given) },
  exists: { words: [2, ANY], fits: countOfArgs },
  type: {
    words: [2, 2],
    fits: ({ type, text }) => type === "simple" && /^(dispenser|none)$/.test(text),
  },
  dbsize: { words: [1, 1], fits: integer },
  keys: { words: [2, 2], fits: bulks, isAlone: true },
  scan: {
    words: [2, ANY],
    fits: ({ type, items: [cursor, names], items }) =>
      type === "array" && items.length === 2 && isBulk(cursor!) && names!.items.every(isBulk),
    isAlone: true,
  },
  hello: { words: [1, ANY], fits: map },
  auth: { words: [2, ANY], fits: ok },
  ping: {
    // Too many words are queued in a transaction, as in Redis, and refused when it runs.
    words: [1, ANY],
    fits: (reply, args) =>
      args.length === 0
        ? reply.type === "simple" && reply.text === "PONG"
        : isBulk(reply) && reply.text === args[0],
    succeeds: true,
  },
  echo: {
    words: [2, 2],
    fits: (reply, [message]) => isBulk(reply) && reply.text === message,
    succeeds: true,
  },
  select: { words: [2, 2], fits: ok },
  reset: { words: [1, 1], fits: simple("RESET"), succeeds: true },
  quit: { words: [1, ANY], fits: ok, succeeds: true },
  multi: { words: [1, 1], fits: ok },
  exec: { words: [1, 1], fits: array },
  discard: { words: [1, 1], fits: ok },
  info: { words: [1, ANY], fits: figures },
  time: {
    words: [1, 1],
    fits: ({ type, items }) => type === "array" && items.length === 2 && items.every(isNumber),
    succeeds: true,
  },
  ready: { words: [1, 1], fits: simple("READY"), succeeds: true },
  backup: { words: [2, 2], fits: ok, isAlone: true },
  // The server of the fuzzer says so where a real one would end.
  shutdown: { words: [1, ANY], fits: simple("shut down"), isAlone: true },
  command: { words: [1, 1], fits: array, succeeds: true },
  "command|count": { words: [2, 2], fits: integer, succeeds: true },
  "command|docs": { words: [2, ANY], fits: map, succeeds: true },
  "command|info": {
    words: [2, ANY],
    fits: ({ type, items }, args) =>
      type === "array" && (args.length === 0 || items.length === args.length),
    succeeds: true,
  },
  "command|list": { words: [2, ANY], fits: bulks },
  "command|help": { words: [2, 2], fits: lines, succeeds: true },
  config: { words: [2, 2], fits: never },
  "config|get": { words: [3, ANY], fits: map },
  "config|set": { words: [4, ANY], fits: ok },
  "config|resetstat": { words: [2, 2], fits: ok },
  "config|help": { words: [2, 2], fits: lines, succeeds: true },
  client: { words: [2, 2], fits: never },
  "client|id": { words: [2, 2], fits: integer, succeeds: true },
  "client|info": { words: [2, 2], fits: verbatim, succeeds: true },
  "client|list": { words: [2, ANY], fits: verbatim, isAlone: true },
  "client|kill": {
    words: [3, ANY],
    fits: (...given) => ok(...given) || integer(...given),
    isAlone: true,
  },
  "client|getname": {
    words: [2, 2],
    fits: (...given) => bulk(...given) || nothing(...given),
    succeeds: true,
  },
  "client|setname": { words: [3, 3], fits: ok },
  "client|setinfo": { words: [4, 4], fits: ok },
  "client|reply": { words: [3, 3], fits: ok, isAlone: true },
  "client|no-evict": { words: [3, 3], fits: ok },
  "client|no-touch": { words: [3, 3], fits: ok },
  "client|tracking": { words: [3, ANY], fits: ok },
  "client|caching": { words: [3, 3], fits: never },
  "client|help": { words: [2, 2], fits: lines, succeeds: true },
};

export const shapeOf: ReadonlyMap<string, Shape> = new Map(Object.entries(shapes));

/** The commands with subcommands. */
const parents = new Set(["client", "command", "config"]);

/** What a request names in `shapes`; undefined where there is no such command. */
export function commandOf(words: readonly string[]): string | undefined {
  let name = words[0]!;
  if (name.includes("|")) return undefined;
  // Names in capitals and others are the same; those in small letters are found as they are.
  if (shapeOf.has(name) && !parents.has(name)) return name;
  name = name.toLowerCase();
  if (parents.has(name) && words.length > 1) name += `|${words[1]!.toLowerCase()}`;
  return shapeOf.has(name) ? name : undefined;
}
