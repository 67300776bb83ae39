/**
 * What the clients know at an instant: which replies had been sent, and what was still under way.
 * It is read off the recorded bytes of the connections alone, and held against what a start after
 * a power cut recovers.
 *
 * All changes of one name's definition come from one connection, so that their order is known; each
 * definition of a name has a `starting` of its own, so that it is known which one was recovered.
 */

import type { Definition } from "../../../src/dispenser/definition.ts";
import type { Dispenser } from "../../../src/dispenser/dispenser.ts";

import type { Progression } from "../../../src/dispenser/types/type.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { type Reply, ReplyError, readReply } from "../../../testkit/resp.ts";

/** Numbers handed out that pay for one wasted, by strategy: what the contract promises. */
const handedOutPerWasted: Record<string, bigint | undefined> = {
  "pre-base": 1n,
  "pre-checkpoint": 19n,
  pre_close: 19n,
};

/** What is known of the dispenser that a name had last. */
interface Line {
  exists: boolean;
  starting: bigint;
  step: bigint;
  strategy: string;
  /** No number below it may come: it follows the acknowledged ones that have to last. */
  floor: bigint;
  /** The same for a line in memory, whose numbers last only in this life. */
  floorInMemory: bigint;
  /** Acknowledged numbers that must never come again. */
  seen: Set<bigint>;
  /** Where this life began, and what was acknowledged in it; undefined after a change. */
  begin: bigint | undefined;
  handedOut: bigint;
}

interface Client {
  requests: string;
  replies: string;
  underWay: string[][];
}

const CHANGES = new Set(["HSET", "DEL", "ADVANCE"]);

export class Ledger {
  private readonly lines: Map<string, Line>;
  private clients = new Map<number, Client>();
  /** Numbers acknowledged over all lives. */
  acknowledged = 0;

  constructor(lines: Map<string, Line> = new Map()) {
    this.lines = lines;
  }

  /** A ledger that goes on by itself from here. */
  clone(): Ledger {
    const copy = new Ledger(structuredClone(this.lines));
    copy.clients = structuredClone(this.clients);
    return copy;
  }

  received(client: number, bytes: string): void {
    const state = this.client(client);
    state.requests += bytes;
    state.requests = readAll(state.requests, (words) => state.underWay.push(words as string[]));
  }

  sent(client: number, bytes: string): void {
    const state = this.client(client);
    state.replies += bytes;
    state.replies = readAll(state.replies, (reply) => {
      this.acknowledge(state.underWay.shift()!, reply);
    });
  }

  private client(id: number): Client {
    let client = this.clients.get(id);
    if (client === undefined) {
      client = { requests: "", replies: "", underWay: [] };
      this.clients.set(id, client);
    }
    return client;
  }

  private acknowledge(request: string[], reply: Reply): void {
    const [command, name = "", ...rest] = request;
    if (reply instanceof ReplyError) return;
    if (command === "GET") this.acknowledgeNumber(name, reply);
    if (command === "MGET") {
      for (const [index, each] of [name, ...rest].entries()) {
        this.acknowledgeNumber(each, (reply as Reply[])[index]!);
      }
    }
    if (command === "DEL" && reply === 1) this.lines.get(name)!.exists = false;
    if (command === "HSET") this.acknowledgeDefinition(name, rest, reply as number);
    if (command === "ADVANCE") {
      const line = this.lines.get(name)!;
      line.floor = BigInt(reply as string);
      line.floorInMemory = line.floor;
      line.begin = undefined;
    }
  }

  private acknowledgeDefinition(name: string, words: string[], added: number): void {
    const field = (key: string) => words[words.indexOf(key) + 1]!;
    const strategy = words.includes("auto_disk") ? field("auto_disk") : "elegant_close";
    if (added > 0) {
      const before = this.lines.get(name);
      const starting = words.includes("starting") ? BigInt(field("starting")) : 0n;
      const step = words.includes("step") ? BigInt(field("step")) : 1n;
      const isReused = words.includes("reuse");
      if (before?.starting === starting && before.step === step && !isReused) {
        Object.assign(before, { exists: true, strategy, begin: undefined });
      } else this.lines.set(name, newLine(starting, step, strategy));
      return;
    }
    const line = this.lines.get(name)!;
    if (line.strategy === strategy) return;
    if (line.strategy === "memory") line.floor = line.floorInMemory;
    line.floorInMemory = line.floor;
    line.strategy = strategy;
    line.begin = undefined;
  }

  private acknowledgeNumber(name: string, reply: Reply): void {
    const number = BigInt(reply as string);
    if (!this.lines.has(name)) this.adopt(name);
    const line = this.lines.get(name)!;
    this.acknowledged++;
    line.handedOut++;
    const next = number + line.step;
    if (next > line.floorInMemory) line.floorInMemory = next;
    if (line.strategy === "memory") return;
    if (line.seen.has(number)) throw new Error(`${name}: ${number} was handed out twice`);
    line.seen.add(number);
    if (next > line.floor) line.floor = next;
  }

  /** A number of a name whose HSET a crash left unanswered shows that it is defined after all. */
  private adopt(name: string): void {
    for (const client of this.clients.values()) {
      const at = client.underWay.findIndex(([command, of]) => command === "HSET" && of === name);
      if (at < 0) continue;
      const [, , ...words] = client.underWay.splice(at, 1)[0]!;
      this.acknowledgeDefinition(name, words, 1);
    }
  }

  private underWay(): string[][] {
    return [...this.clients.values()].flatMap(({ underWay }) => underWay);
  }

  /** Throws where what a start recovered breaks a promise. `isClean`: after a clean stop. */
  check(engine: Engine, isClean: boolean): void {
    const underWay = this.underWay();
    const changing = new Set(
      underWay.filter(([command]) => CHANGES.has(command!)).map(([, name]) => name),
    );
    for (const [name, line] of this.lines) {
      const dispenser = engine.find(name);
      const isChanging = changing.has(name);
      if (!isChanging && (dispenser !== undefined) !== line.exists) {
        throw new Error(`${name}: ${line.exists ? "is gone" : "was deleted and is back"}`);
      }
      if (dispenser === undefined || !line.exists) continue;
      if (!isChanging) checkDefinition(name, line, dispenser.definition);
      else if (isOther(line, dispenser.definition)) continue;
      checkPosition(name, line, dispenser);
      if (isChanging) continue;
      const requests = underWay.filter((words) => words.slice(1).includes(name)).length;
      this.checkWaste(name, line, dispenser.position, BigInt(requests), isClean);
    }
    for (const { name } of engine.all()) {
      if (!this.lines.has(name) && !changing.has(name)) throw new Error(`${name}: never defined`);
    }
  }

  /** Numbers still under way are not wasted, and not handed out. */
  private checkWaste(
    name: string,
    line: Line,
    position: bigint,
    underWay: bigint,
    isClean: boolean,
  ): void {
    if (line.begin === undefined || line.strategy === "memory") return;
    const isExact = isClean && line.strategy === "pre_close";
    const perWasted = isExact ? undefined : handedOutPerWasted[line.strategy];
    const wasteMax = perWasted === undefined ? 0n : line.handedOut / perWasted;
    const wasted = position - line.begin - line.handedOut - underWay;
    if (wasted > wasteMax) {
      throw new Error(
        `${name} (${line.strategy}): ${wasted} wasted of ${line.handedOut} handed out`,
      );
    }
  }

  /** A life begins with what its start recovered; what was under way is settled by that. */
  beginLife(engine: Engine): void {
    this.clients = new Map();
    for (const [name, line] of this.lines) {
      const dispenser = engine.find(name);
      line.exists = dispenser !== undefined;
      if (dispenser === undefined) continue;
      const { strategy } = dispenser.definition;
      const { first: starting, step } = progressionOf(dispenser.definition);
      if (starting !== line.starting) this.lines.set(name, newLine(starting, step, strategy));
    }
    for (const { name, definition, position } of engine.all()) {
      const { strategy } = definition;
      const { first: starting, step } = progressionOf(definition);
      const line = this.lines.get(name) ?? newLine(starting, step, strategy);
      this.lines.set(name, line);
      line.strategy = strategy;
      line.begin = position;
      line.handedOut = 0n;
      line.floorInMemory = line.floor;
    }
  }
}

/** The campaign makes no others. */
const progressionOf = ({ series }: Definition): Progression => series.progression!;

/** Whether it is another dispenser of the same name. */
function isOther(line: Line, definition: Definition): boolean {
  const { first: starting, step } = progressionOf(definition);
  return starting !== line.starting || step !== line.step;
}

/** Nothing that would change it is under way. */
function checkDefinition(name: string, line: Line, definition: Definition): void {
  if (!isOther(line, definition) && definition.strategy === line.strategy) return;
  throw new Error(`${name}: an acknowledged definition is lost`);
}

function checkPosition(name: string, line: Line, dispenser: Dispenser): void {
  const { definition, position, counts } = dispenser;
  const next = BigInt(definition.series.numberAt(position));
  if (next < line.floor) {
    throw new Error(`${name}: the next number is ${next}, acknowledged below ${line.floor}`);
  }
  if (definition.strategy !== "memory" && counts.generated + counts.wasted !== position) {
    throw new Error(`${name}: counts ${Object.values(counts)} at position ${position}`);
  }
}

function newLine(starting: bigint, step: bigint, strategy: string): Line {
  return {
    exists: true,
    starting,
    step,
    strategy,
    floor: starting,
    floorInMemory: starting,
    seen: new Set(),
    begin: 0n,
    handedOut: 0n,
  };
}

/** Reads all whole messages; answers the bytes that are left. */
function readAll(bytes: string, take: (message: Reply) => void): string {
  let at = 0;
  while (at < bytes.length) {
    const read = readReply(bytes, at);
    if (read === undefined) break;
    take(read.reply);
    at = read.end;
  }
  return bytes.slice(at);
}
