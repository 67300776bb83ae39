/** What is compared: the servers, and what each of them is asked for. */

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
  /** How many names it goes over. */
  readonly names: number;
  /** What a GET of ours takes from; undefined of others. */
  readonly ours: { readonly strategy: StrategyName; readonly type: TypeCode } | undefined;
  /** Whether it is measured with few and with many clients, too. */
  readonly isCore: boolean;
  /** Whether others are shown as ratios to it. */
  readonly isBaseline: boolean;
}

/** Everything is a ratio to these two; redis-server in memory runs twice in each round. */
export const IN_MEMORY = "redis INCR, in memory";
export const IN_MEMORY_AGAIN = "redis INCR, in memory, again";
export const ALWAYS = "redis INCR, appendfsync always";
export const CEILING = "Bun.listen, a constant";
export const NAMES = 10_000;

/** The title of the same over many names. */
export const overNames = (title: string, names: number) =>
  names === 1 ? title : `${title}, ${names} names`;

const DIGITS = 12;
/** Lines of many names have handed out so many before: a younger one reserves little ahead. */
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

  /** Starts all servers, with their data under this folder, and defines what they are asked for. */
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

/** redis-server over many names. */
function many(title: string, server: RunningServer, names: number): Work {
  const hot = other(overNames(title, names), server, "incr", "line:__rand_int__");
  return { ...hot, names, isCore: false };
}

function startCeiling(): Promise<RunningServer> {
  const port = freePort();
  const script = join(import.meta.dir, "ceiling.ts");
  return RunningServer.start([process.execPath, script, `${port}`], port);
}

/** One hot name of each of these types and strategies. */
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
      // A GET of type 1 writes nothing, whatever its strategy: two of the five tell it all.
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

async function define(client: TestClient, name: string, type: TypeCode, strategy: StrategyName) {
  const reply = await client.command("HSET", name, ...fieldsOf[type], "auto_disk", strategy);
  if (typeof reply !== "number") throw new Error(String(reply));
}

/** Lines of many names, of type 3, that have handed out some numbers each. */
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

/** As redis-benchmark fills __rand_int__ in. */
export const nameOf = (prefix: string, index: number) =>
  `${prefix}:${String(index).padStart(DIGITS, "0")}`;
