/**
 * What `list` and `top` ask of a running server: the figures of its dispensers, page by page, so
 * that no other client waits for it. A request asks for few dispensers, and between requests the
 * server has time for others.
 *
 * In a cluster the figures are those of the one node: INFO in a transaction does not ask the store.
 */

import { CannotStart } from "../base/errors.ts";
import { type Client, ErrorReply } from "./client.ts";
import { ask } from "./connection.ts";
import { infoFields } from "./inspect.ts";

/** How many names a SCAN asks for; it ends by itself after a millisecond. */
const PAGE = 500;
/** How many dispensers one request asks for: the server needs a quarter of a millisecond. */
const AT_ONCE = 8;
/** How much of the time the server works for this program, at most. */
const PART_OF_TIME = 1 / 2;
/** How long lies between the two looks that make a rate, at least. */
const RATE_MS = 1000;

/** One dispenser at one moment. */
export interface Look {
  readonly name: string;
  readonly type: string;
  readonly strategy: string;
  /** As GET would write it; empty at the end of a line, and for random numbers. */
  readonly next: string;
  readonly remaining: bigint;
  readonly generated: bigint;
  readonly wasted: bigint;
  readonly usedPercent: number;
  /** Of performance.now(). */
  readonly atMs: number;
}

/** A dispenser with the numbers a second that it handed out between two looks. */
export interface Figures extends Look {
  readonly rate: number;
}

export class Watch {
  private readonly client: Client;

  /** Each answer has to come within the limit. */
  constructor(client: Client, limitSeconds: number) {
    this.client = client;
    client.limitEach(limitSeconds);
  }

  /** Fields of INFO about the server. Throws CannotStart. */
  async server(): Promise<Record<string, string>> {
    return infoFields(await ask(this.client, "INFO"));
  }

  /**
   * All dispensers that match, each looked at twice, in the order in which they were made. Throws
   * CannotStart.
   */
  async *figures(match: string): AsyncGenerator<Figures> {
    const pages: Look[][] = [];
    for await (const names of this.names(match)) {
      pages.push(await this.look(names));
      while (pages.length > 0 && waitOf(pages[0]!) <= 0) yield* await this.again(pages.shift()!);
    }
    for (const page of pages) {
      await Bun.sleep(Math.max(waitOf(page), 0));
      yield* await this.again(page);
    }
  }

  /** Looks at these once more. Those that were deleted meanwhile are left out. */
  async again(before: readonly Look[]): Promise<Figures[]> {
    const now = await this.look(before.map(({ name }) => name));
    const byName = new Map(before.map((look) => [look.name, look]));
    return now.map((look) => ({ ...look, rate: rateBetween(byName.get(look.name)!, look) }));
  }

  /** Looks at dispensers. Those that there are not are left out. */
  async look(names: readonly string[]): Promise<Look[]> {
    const looks: Look[] = [];
    for (let from = 0; from < names.length; from += AT_ONCE) {
      looks.push(...(await this.lookAtFew(names.slice(from, from + AT_ONCE))));
    }
    return looks;
  }

  private async lookAtFew(names: readonly string[]): Promise<Look[]> {
    const requests = names.map((name) => ["INFO", "dispenser", name]);
    const replies = await this.paced(() =>
      this.client.pipeline([["MULTI"], ...requests, ["EXEC"]]),
    );
    const atMs = performance.now();
    const refusal = replies.find((reply) => reply instanceof ErrorReply);
    if (refusal !== undefined) throw new CannotStart(`the server refused: ${refusal.message}`);
    const infos = replies.at(-1) as unknown[];
    return infos.flatMap((info) => (typeof info === "string" ? [lookIn(info, atMs)] : []));
  }

  private async *names(match: string): AsyncGenerator<string[]> {
    let cursor = "0";
    do {
      const words = ["SCAN", cursor, "MATCH", match, "COUNT", String(PAGE)];
      const reply = await this.paced(() => ask(this.client, ...words));
      const [next, names] = reply as [string, string[]];
      cursor = next;
      if (names.length > 0) yield names;
    } while (cursor !== "0");
  }

  /** Asks, and then leaves the server to others for a while. */
  private async paced<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await work();
    const took = performance.now() - began;
    await Bun.sleep(took * (1 / PART_OF_TIME - 1));
    return result;
  }
}

/** How long it is until the second look at a page. */
const waitOf = (page: readonly Look[]) => (page[0]?.atMs ?? 0) + RATE_MS - performance.now();

function rateBetween(before: Look, after: Look): number {
  const seconds = (after.atMs - before.atMs) / 1000;
  const numbers = Number(after.generated - before.generated);
  // A line in memory that was defined anew has fewer.
  return numbers <= 0 || seconds <= 0 ? 0 : numbers / seconds;
}

function lookIn(info: string, atMs: number): Look {
  const fields = infoFields(info);
  return {
    name: fields.name!,
    type: fields.type!,
    strategy: fields.auto_disk!,
    next: fields.next ?? "",
    remaining: BigInt(fields.remaining ?? 0),
    generated: BigInt(fields.generated!),
    wasted: BigInt(fields.wasted!),
    usedPercent: Number(fields.used_percent ?? 0),
    atMs,
  };
}
