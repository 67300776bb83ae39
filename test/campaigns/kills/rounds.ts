/**
 * Real servers killed for real, round after round on one data folder: SIGKILL under pipelined load on
 * every strategy at once, while starting, in the middle of the clean close; and a clean SIGTERM now
 * and then. What clients received is held against the invariants of the simulation's checkers.
 */

import { join } from "node:path";
import { type StrategyName, strategyNames } from "../../../src/dispenser/strategy.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { Prng } from "../../../testkit/prng.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { Broken } from "../simulation/broken.ts";
import { Checker } from "../simulation/checker.ts";
import { fieldsOf, positionOf, type Shape } from "../simulation/shapes.ts";

/** A server that is told to stop has to be gone by then. */
const STOP_MS_MAX = 2000;
const LOAD_MS_MAX = 120;
/** A start is killed this long before it would be ready, or after, as a share of its own time. */
const START_SPREAD = 0.4;
const CLOSE_MS_MAX = 6;
const CLIENTS_PER_LINE = 2;
/**
 * One line of each strategy, one that is switched from one to another all the time, and codes and
 * formatted numbers.
 */
const RESTLESS = "restless";
const steps = { type: "3", length: 0, starting: 10n, step: 3n, format: "" } as const;
const codes = { type: "4", length: 12, starting: 0n, step: 1n, format: "" } as const;
const others: readonly (readonly [name: string, strategy: StrategyName, shape: Shape])[] = [
  [RESTLESS, "elegant_close", steps],
  ["codes", "pre_close", codes],
  ["safe-codes", "elegant_close", { ...codes, format: "A-{n:3}{luhn}/7" }],
  ["formatted", "pre-base", { ...steps, type: "2", length: 12, format: "A-{n:3}{luhn}/7" }],
];

type Ending = "SIGKILL under load" | "SIGKILL while starting" | "SIGKILL while closing" | "SIGTERM";

const endings: readonly Ending[] = [
  "SIGKILL under load",
  "SIGKILL under load",
  "SIGKILL under load",
  "SIGKILL under load",
  "SIGKILL while starting",
  "SIGKILL while closing",
  "SIGKILL while closing",
  "SIGTERM",
];

interface Line {
  readonly checker: Checker;
  strategy: StrategyName;
  /** Requests without a reply when the server died. */
  underWay: bigint;
}

export class Rounds {
  readonly dataDir = join(temporaryFolder(), "data");
  /** How many rounds ended each way. */
  readonly ended: Record<Ending, number> = {
    "SIGKILL under load": 0,
    "SIGKILL while starting": 0,
    "SIGKILL while closing": 0,
    SIGTERM: 0,
  };
  /** How many of the kills while starting came before the server was ready. */
  killedBeforeReady = 0;
  /** How many numbers clients received. */
  numbers = 0;
  private readonly program: readonly string[];
  private readonly prng: Prng;
  private lines: Line[] = [];
  private isClean = true;
  /** How long the last start took, until the server was ready. */
  private startMs = 50;

  constructor(program: readonly string[], seed: number) {
    this.program = program;
    this.prng = new Prng(seed);
  }

  /** One life of the server. Throws Broken. */
  async round(): Promise<void> {
    const ending = this.prng.pick(endings);
    const { program, dataDir } = this;
    if (ending === "SIGKILL while starting") {
      const server = ServerProcess.launch({ program, dataDir });
      // Most of it is the loading of the program: what matters comes last.
      await Bun.sleep(this.startMs * (1.1 - this.prng.next() * START_SPREAD));
      await server.end("SIGKILL");
      if (!server.log.includes(" ready ")) this.killedBeforeReady++;
    } else {
      const began = performance.now();
      const server = await ServerProcess.start({ program, dataDir });
      this.startMs = performance.now() - began;
      await this.check(server);
      const load = this.load(server);
      await Bun.sleep(this.prng.next() * LOAD_MS_MAX);
      await this.end(server, ending);
      await load;
    }
    this.ended[ending]++;
  }

  private async end(server: ServerProcess, ending: Ending): Promise<void> {
    this.isClean = ending === "SIGTERM";
    if (ending === "SIGTERM") {
      const began = performance.now();
      const status = await server.end("SIGTERM");
      if (status !== 0) throw new Broken(`SIGTERM ended it with ${status}:\n${server.log}`);
      if (performance.now() - began > STOP_MS_MAX) throw new Broken("too slow to stop");
      return;
    }
    if (ending === "SIGKILL while closing") {
      server.signal("SIGTERM");
      await Bun.sleep(this.prng.next() * CLOSE_MS_MAX);
    }
    await server.end("SIGKILL");
    // Where the close was quicker than the kill it was a clean one, which is stricter than needed.
  }

  /** Holds what the server says of each line against what clients received of it. */
  private async check(server: ServerProcess): Promise<void> {
    const client = await TestClient.connect(server.port);
    if (this.lines.length === 0) await this.define(client);
    for (const line of this.lines) {
      const { checker, strategy, underWay } = line;
      const fields = await client.info("dispenser", checker.name);
      const next = checker.current(fields.current!);
      const counted = BigInt(fields.generated!) + BigInt(fields.wasted!);
      const position = next === undefined ? counted : positionOf(checker.shape, next);
      const generated = BigInt(fields.generated!);
      const isKnown = checker.name !== RESTLESS;
      if (isKnown && fields.auto_disk !== strategy) checker.fail(`became ${fields.auto_disk}`);
      line.strategy = fields.auto_disk as StrategyName;
      // A clean stop answers what it took: nothing is under way.
      const ending = { isClean: this.isClean, underWay: this.isClean ? 0n : underWay };
      checker.restarted({ position }, generated, line.strategy, ending);
      checker.checkInfo(fields, checker.countedFrom);
      line.underWay = 0n;
    }
    client.close();
  }

  private async define(client: TestClient): Promise<void> {
    const each = strategyNames.map((strategy) => [strategy, strategy, steps] as const);
    this.lines = [...each, ...others].map(([name, strategy, shape]) => ({
      checker: new Checker(name, shape, strategy, new Set()),
      strategy,
      underWay: 0n,
    }));
    for (const { checker, strategy } of this.lines) {
      const fields = { ...fieldsOf(checker.shape), auto_disk: strategy };
      await client.command("HSET", checker.name, ...Object.entries(fields).flat());
    }
  }

  /** Clients that take numbers of every line until the server is gone. */
  private async load(server: ServerProcess): Promise<void> {
    const each = this.lines.flatMap((line) => Array<Line>(CLIENTS_PER_LINE).fill(line));
    await Promise.all(each.map((line) => this.take(server.port, line)));
  }

  private async take(port: number, line: Line): Promise<void> {
    let client: TestClient;
    try {
      client = await TestClient.connect(port);
    } catch {
      return;
    }
    let last = -1n;
    for (;;) {
      const isSwitch = line.checker.name === RESTLESS && this.prng.once(4);
      const taken = isSwitch
        ? await this.switch(client, line)
        : await this.takeSome(client, line, last);
      if (taken === undefined) return;
      last = taken;
    }
  }

  /** Answers the last number received, or undefined when the server is gone. */
  private async takeSome(
    client: TestClient,
    line: Line,
    last: bigint,
  ): Promise<bigint | undefined> {
    const { checker } = line;
    const asked = checker.ask(line.strategy);
    const count = this.prng.pick([1, 1, 5, 40, 150]);
    line.underWay += BigInt(count);
    const replies = await client.pipeline(
      Array.from({ length: count }, () => ["GET", checker.name]),
    );
    for (const reply of replies) {
      if (typeof reply !== "string") return this.gone(reply);
      line.underWay--;
      this.numbers++;
      const number = checker.acknowledge(reply, asked);
      if (number <= last) checker.fail(`${number} after ${last} on one connection`);
      last = number;
    }
    return last;
  }

  /** Of a line that is switched under load only what holds for every strategy is known. */
  private async switch(client: TestClient, { checker }: Line): Promise<bigint | undefined> {
    // Not to memory: then no number would be durable that comes while the switch is under way.
    const strategy = this.prng.pick(strategyNames.filter((name) => name !== "memory"));
    checker.switched(strategy);
    const reply = await client.command("HSET", checker.name, "auto_disk", strategy);
    return reply === 0 ? checker.stretch.largest : this.gone(reply);
  }

  private gone(reply: unknown): undefined {
    const isGone = reply instanceof ReplyError && reply.message === "connection closed";
    if (!isGone) throw new Broken(`not a number: ${String(reply)}`);
    return undefined;
  }
}
