/** `number-dispenser list`: the dispensers of the server on this machine, with their figures. */

import type { Environment, ServerSettings } from "./connection.ts";
import { withServer } from "./connection.ts";
import { type Figures, Watch } from "./figures.ts";
import { cell, shownName, shownRate } from "./table.ts";

/** Where the list is written as it comes. Answers whether anybody still reads it. */
export type Write = (text: string) => Promise<boolean>;

const COLUMNS = ["NAME", "TYPE", "NEXT", "REMAINING", "GENERATED", "WASTED", "RATE"] as const;
/** So many names decide on the widths before the first is written. */
const AT_ONCE = 500;

/** Writes the list. Throws CannotStart. */
export async function list(
  pattern: string | undefined,
  settings: ServerSettings,
  environment: Environment,
  limitSeconds: number,
  isJson: boolean,
  write: Write,
): Promise<void> {
  await withServer(settings, environment, limitSeconds, async (client) => {
    const layout = isJson ? new JsonList() : new TextList();
    let waiting: Figures[] = [];
    let isRead = await write(layout.head);
    for await (const figures of new Watch(client, limitSeconds).figures(pattern ?? "*")) {
      waiting.push(figures);
      if (waiting.length < AT_ONCE) continue;
      isRead &&= await write(layout.rows(waiting));
      waiting = [];
      if (!isRead) return;
    }
    await write(layout.rows(waiting) + layout.foot);
  });
}

/** An array of objects, one a line. */
class JsonList {
  readonly head = "[";
  readonly foot = "\n]\n";
  private isFirst = true;

  rows(all: readonly Figures[]): string {
    const texts = all.map((figures) => {
      const { name, type, strategy, next, remaining, generated, wasted, usedPercent } = figures;
      const before = this.isFirst ? "\n" : ",\n";
      this.isFirst = false;
      const object = {
        ...{ name, type: Number(type), auto_disk: strategy, next: next === "" ? null : next },
        ...{ remaining: String(remaining), used_percent: usedPercent },
        ...{ generated: String(generated), wasted: String(wasted) },
        rate: Math.round(figures.rate * 100) / 100,
      };
      return before + JSON.stringify(object);
    });
    return texts.join("");
  }
}

/** A table whose columns grow where a row needs it, and stay so. */
class TextList {
  readonly head = "";
  private readonly widths: number[] = COLUMNS.map(({ length }) => length);
  private isFirst = true;

  /** The titles of a table without a row. */
  get foot(): string {
    return this.rows([]);
  }

  rows(all: readonly Figures[]): string {
    const rows = all.map(({ name, type, next, remaining, generated, wasted, rate }) => [
      ...[shownName(name), type, next || "-", type === "1" ? "-" : String(remaining)],
      ...[String(generated), String(wasted), shownRate(rate)],
    ]);
    const shown = this.isFirst ? [[...COLUMNS], ...rows] : rows;
    this.isFirst = false;
    for (const row of rows) {
      for (const [column, text] of row.entries()) {
        this.widths[column] = Math.max(this.widths[column]!, Bun.stringWidth(text));
      }
    }
    return shown.map((row) => `${this.line(row)}\n`).join("");
  }

  private line(row: readonly string[]): string {
    return row.map((text, column) => cell(text, this.widths[column]!, column > 0)).join("  ");
  }
}
