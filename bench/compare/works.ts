/** The works that are compared: the servers, and the requests that each of them gets. */

import { join } from "node:path";
import { type StrategyName, strategyNames } from "../../src/dispenser/strategy.ts";
import type { TestClient } from "../../testkit/resp.ts";
import {
  alwaysSyncing,
  answering,
  buildBinary,
  freePort,
  fromSource,
  RunningServer,
  startOurs,
  startRedis,
} from "../support/servers.ts";

export type TypeCode = "1" | "2" | "3";

export interface Work {
  readonly title: string;
  readonly server: RunningServer;
  readonly words: readonly string[];
  /** How many names its requests use. */
  readonly names: number;
  /** The dispenser that a GET takes from; undefined for other servers. */
  readonly ours: { readonly strategy: StrategyName; readonly type: TypeCode } | undefined;
  /** Whether it is also measured with few and with many clients. */
  readonly isCore: boolean;
  /** Whether other works are shown as ratios to it. */
  readonly isBaseline: boolean;
}

/** The two baselines of all ratios; redis-server in memory runs twice in each round. */
export const IN_MEMORY = "redis INCR, in memory";
export const IN_MEMORY_AGAIN = "redis INCR, in memory, again";
export const ALWAYS = "redis INCR, appendfsync always";
export const CEILING = "Bun.listen, a constant";
export const NAMES = 10_000;

/** The title of a work over many names. */
export const overNames = (title: string, names: number) =>
  names === 1 ? title : `${title}, ${names} names`;

const DIGITS = 12;
/**
 * How many numbers each line of many has handed out before: a younger one reserves little ahead.
 */
const NUMBERS_BEFORE = 100;
const AT_ONCE = 1000;

const fieldsOf: Record<TypeCode, readonly string[]> = {
  "1": ["type", "1", "length", `${DIGITS}`],
  "2": ["type", "2", "length", `${DIGITS}`],
  "3": ["type", "3"],
};

const coreStrategies: readonly StrategyName[] = ["memory", "pre_close", "elegant_close"];

export class Works {
  readonly all: readonly Work[];
  private readonly servers: readonly RunningServer[];

  private constructor(servers: readonly RunningServer[], all: readonly Work[]) {
    this.servers = servers;
    this.all = all;
  }

  /** Starts all servers with their data under this folder, and defines their dispensers. */
  static async start(folder: string, names: number, withBinary: boolean): Promise<Works> {
    const [redis, always, ceiling, source] = await Promise.all([
      startRedis(join(folder, "redis")),
      startRedis(join(folder, "redis-always"), alwaysSyncing),
      startCeiling(),
      startOurs(fromSource, join(folder, "source")),
    ]);
    const works = [
      other(IN_MEMORY, redis, "incr", "x"),
      other(IN_MEMORY_AGAIN, redis, "incr", "x"),
      other(ALWAYS, always, "incr", "x"),
      other(CEILING, ceiling, "get", "x"),
      ...(await ours("", source, ["1", "2", "3"], strategyNames)),
      ...(await writtenOtherwise(source)),
      ...(await overMany(source, names)),
      many(IN_MEMORY, redis, names),
      many(ALWAYS, always, names),
    ];
    const servers = [redis, always, ceiling, source];
    if (withBinary) {
      const binary = await startOurs(buildBinary(folder), join(folder, "binary"));
      servers.push(binary);
      works.push(...(await ours("binary: ", binary, ["3"], coreStrategies)));
    }
    return new Works(servers, works);
  }

  async end(): Promise<void> {
    for (const server of this.servers) await server.end();
  }
}

function other(title: string, server: RunningServer, ...words: string[]): Work {
  const ours = undefined;
  return { title, server, words, names: 1, ours, isCore: true, isBaseline: true };
}

/** The work of redis-server over many names. */
function many(title: string, server: RunningServer, names: number): Work {
  const hot = other(overNames(title, names), server, "incr", "line:__rand_int__");
  return { ...hot, names, isCore: false };
}

function startCeiling(): Promise<RunningServer> {
  const port = freePort();
  const script = join(import.meta.dir, "ceiling.ts");
  return RunningServer.start([process.execPath, script, `${port}`], port);
}

/** The works of one hot name for each type and strategy. */
async function ours(
  prefix: string,
  server: RunningServer,
  types: readonly TypeCode[],
  strategies: readonly StrategyName[],
): Promise<Work[]> {
  const client = await answering(server.port);
  const works: Work[] = [];
  for (const type of types) {
    for (const strategy of strategies) {
      // A GET of type 1 writes nothing with any strategy, so two of the five are enough.
      if (type === "1" && strategy.startsWith("pre")) continue;
      const name = `type${type}:${strategy}`;
      await define(client, name, type, strategy);
      works.push({
        title: `${prefix}GET, type ${type}, \`${strategy}\``,
        server,
        words: ["get", name],
        names: 1,
        ours: { strategy, type },
        isCore: prefix === "" && type === "3" && coreStrategies.includes(strategy),
        isBaseline: false,
      });
    }
  }
  client.close();
  return works;
}

/** Lines whose numbers are not written as they are, with `pre_close`. */
const writings: Readonly<Record<string, readonly string[]>> = {
  "type 2 as `INV-{yyyy}{MM}-{n}`": [
    ...["type", "2", "length", `${DIGITS}`, "format", "INV-{yyyy}{MM}-{n}"],
  ],
  "type 2 as `INV-{yyyy}{MM}-{n}` each month": [
    ...["type", "2", "length", `${DIGITS}`, "format", "INV-{yyyy}{MM}-{n}", "period", "month"],
  ],
  "codes of 12 digits": ["type", "4", "length", "12"],
  "codes of 16 letters and digits": ["type", "4", "length", "16", "alphabet", "base62"],
};

async function writtenOtherwise(server: RunningServer): Promise<Work[]> {
  const client = await answering(server.port);
  const works: Work[] = [];
  for (const [index, [what, fields]] of Object.entries(writings).entries()) {
    const name = `written:${index}`;
    const reply = await client.command("HSET", name, ...fields, "auto_disk", "pre_close");
    if (typeof reply !== "number") throw new Error(String(reply));
    const title = `GET, ${what}, \`pre_close\``;
    const one = { names: 1, ours: undefined, isCore: false, isBaseline: false };
    works.push({ title, server, words: ["get", name], ...one });
  }
  client.close();
  return works;
}

async function define(client: TestClient, name: string, type: TypeCode, strategy: StrategyName) {
  const reply = await client.command("HSET", name, ...fieldsOf[type], "auto_disk", strategy);
  if (typeof reply !== "number") throw new Error(String(reply));
}

/** The works over many lines of type 3, each of which has handed out some numbers. */
async function overMany(server: RunningServer, names: number): Promise<Work[]> {
  const client = await answering(server.port);
  const works: Work[] = [];
  for (const strategy of coreStrategies) {
    const all = Array.from({ length: names }, (_, index) => nameOf(strategy, index));
    for (let from = 0; from < names; from += AT_ONCE) {
      const some = all.slice(from, from + AT_ONCE);
      await client.pipeline(
        some.map((name) => ["HSET", name, ...fieldsOf["3"], "auto_disk", strategy]),
      );
      for (let taken = 0; taken < NUMBERS_BEFORE; taken++) await client.command("MGET", ...some);
    }
    works.push({
      title: overNames(`GET, type 3, \`${strategy}\``, names),
      server,
      words: ["get", `${strategy}:__rand_int__`],
      names,
      ours: undefined,
      isCore: false,
      isBaseline: false,
    });
  }
  client.close();
  return works;
}

/** The name that redis-benchmark makes by filling in __rand_int__. */
export const nameOf = (prefix: string, index: number) =>
  `${prefix}:${String(index).padStart(DIGITS, "0")}`;
