/**
 * The invariants, as clients see it: no number of a line is handed out twice, and never out of order.
 * Some lines are kept for it. An input may do with them what it likes; the one that deletes them is
 * noticed, as a line of the same name is another one then.
 */

import { strategyNames } from "../../../src/dispenser/strategy.ts";
import { Broken } from "./replies.ts";

export interface Line {
  readonly name: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly starting: bigint;
  readonly step: bigint;
  /** The largest number that was handed out; undefined for none. */
  last: bigint | undefined;
  /** Whether it may have been deleted. */
  isDisturbed: boolean;
}

const shapes = [
  ["type", "3"],
  ["type", "2", "length", "18", "starting", "999999999999000000"],
  ["type", "3", "starting", "9223372036854000000", "step", "7"],
];

function makeLine(name: string, words: readonly string[]): Line {
  const fields = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) fields.set(words[at]!, words[at + 1]!);
  return {
    name,
    fields,
    starting: BigInt(fields.get("starting") ?? 0),
    step: BigInt(fields.get("step") ?? 1),
    last: undefined,
    isDisturbed: true,
  };
}

const makeLines = (): Line[] =>
  strategyNames.flatMap((strategy) =>
    shapes.map((shape, index) =>
      makeLine(`${strategy}:${index}`, [...shape, "auto_disk", strategy]),
    ),
  );

/** The names of the lines. */
export const lineNames: readonly string[] = makeLines().map(({ name }) => name);

export class Invariants {
  readonly lines: readonly Line[] = makeLines();
  private readonly byName = new Map(this.lines.map((line) => [line.name, line]));
  /** What the clients of this round received, each in its order. */
  private taken: { line: Line; client: number; number: bigint }[] = [];

  /** A client received a number; numbers of other names are ignored. */
  took(name: string, client: number, digits: string): void {
    const line = this.byName.get(name);
    if (line !== undefined) this.taken.push({ line, client, number: BigInt(digits) });
  }

  /** A client asks to delete this name. */
  disturbed(name: string): void {
    const line = this.byName.get(name);
    if (line !== undefined) line.isDisturbed = true;
  }

  /** Nobody knows what a client asked for that included a DEL. */
  disturbedAll(): void {
    for (const line of this.lines) line.isDisturbed = true;
  }

  /** The round is over: looks at what was received. */
  check(): void {
    if (this.taken.length === 0) return;
    const seen = new Set<string>();
    const lastOf = new Map<string, bigint>();
    for (const { line, client, number } of this.taken) {
      if (line.isDisturbed) continue;
      const key = `${line.name} ${number}`;
      const before = lastOf.get(`${line.name} ${client}`);
      if (number < line.starting || (number - line.starting) % line.step !== 0n) {
        throw new Broken(`${key} is not on its line`);
      }
      if (seen.has(key)) throw new Broken(`${key} was handed out twice`);
      if (line.last !== undefined && number <= line.last) {
        throw new Broken(`${key} was handed out after ${line.last}`);
      }
      if (before !== undefined && number < before) {
        throw new Broken(`${key} was handed out after ${before}, to one client`);
      }
      seen.add(key);
      lastOf.set(`${line.name} ${client}`, number);
    }
    for (const { line, number } of this.taken) {
      if (line.last === undefined || number > line.last) line.last = number;
    }
    this.taken = [];
  }
}
