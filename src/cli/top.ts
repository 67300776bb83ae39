/**
 * `number-dispenser top`: a live table of the busiest dispensers, or of those nearest their end.
 *
 * The server keeps no such order, so this looks at all dispensers, in rounds, as `list` does, and
 * keeps the best that it has seen; those it looks at each second.
 */

import { shownText } from "../base/secrets.ts";
import { UsageError } from "../config/file.ts";
import { type Environment, type ServerSettings, withServer } from "./connection.ts";
import { type Figures, Watch } from "./figures.ts";
import type { Said } from "./said.ts";
import { type Ending, Screen } from "./screen.ts";
import { header, type Order, type Overview, orders, sorted, table } from "./top-screen.ts";

/** How many of each order are kept, and so how many the screen can show. */
const KEPT = 100;
const FRAME_MS = 1000;
/** A rate over a shorter time would only show how uneven clients are. */
const LOOK_MS_MIN = FRAME_MS / 2;
/** A round over few dispensers does not begin more often. */
const ROUND_MS_MIN = 5000;
/** How many rows there are where the output is no terminal, and how wide that is. */
const ROWS = 40;
const WIDTH = 160;

/** Where it is shown, and where keys come from. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** The order that -sort names. Throws UsageError. */
export function orderIn(flags: ReadonlyMap<string, string>): Order {
  const text = flags.get("sort") ?? "rate";
  const order = orders.find((each) => each === text);
  if (order !== undefined) return order;
  throw new UsageError(`-sort: '${shownText(text)}' must be one of ${orders.join(", ")}`);
}

/**
 * Shows the table until a key or a signal ends it; where the output is no terminal answers it once.
 * Throws CannotStart, also if the server goes away.
 */
export function top(
  order: Order,
  settings: ServerSettings,
  environment: Environment,
  limitSeconds: number,
  { input, output }: Terminal,
): Promise<Said> {
  return withServer(settings, environment, limitSeconds, async (client) => {
    const board = new Board(new Watch(client, limitSeconds));
    if (!output.isTTY) return { text: await board.once(order), isWell: true };
    const ending = await new Live(board, order, input, output).run();
    // Ends the process by the signal, as it would have ended without a handler.
    if (ending !== "quit") process.kill(process.pid, ending);
    return { text: "", isWell: true };
  });
}

/** The best dispensers that were seen so far. */
class Board {
  private readonly watch: Watch;
  private best = new Map<string, Figures>();
  private looked = 0;
  private roundSeconds: number | undefined;
  private server: Record<string, string> = {};

  constructor(watch: Watch) {
    this.watch = watch;
  }

  get overview(): Overview {
    const { server, looked, roundSeconds } = this;
    const busy = [...this.best.values()].filter(({ rate }) => rate > 0);
    const numbersPerSecond = busy.reduce((sum, { rate }) => sum + rate, 0);
    return { server, numbersPerSecond, busy: busy.length, looked, roundSeconds };
  }

  rows(order: Order, most: number): Figures[] {
    return sorted([...this.best.values()], order, most);
  }

  /** The whole of one round, as text. */
  async once(order: Order): Promise<string> {
    await this.refresh();
    await this.round();
    await this.refresh();
    const lines = header(this.overview, order, WIDTH);
    return [...lines, "", ...table(this.rows(order, ROWS), WIDTH)].join("\n");
  }

  /** Looks at all dispensers once. `isOver` ends it early. */
  async round(isOver: () => boolean = () => false): Promise<void> {
    const beganMs = performance.now();
    this.looked = 0;
    for await (const figures of this.watch.figures("*")) {
      if (isOver()) return;
      this.looked++;
      this.best.set(figures.name, figures);
      if (this.best.size > 4 * KEPT) this.trim();
    }
    this.trim();
    this.roundSeconds = (performance.now() - beganMs) / 1000;
  }

  /** Looks at the server, and once more at the best. */
  async refresh(): Promise<void> {
    this.server = await this.watch.server();
    this.trim();
    const nowMs = performance.now();
    const known = [...this.best.values()].filter(({ atMs }) => nowMs - atMs >= LOOK_MS_MIN);
    const now = new Map((await this.watch.again(known)).map((figures) => [figures.name, figures]));
    for (const { name } of known) this.best.delete(name);
    for (const [name, figures] of now) this.best.set(name, figures);
  }

  private trim(): void {
    const all = [...this.best.values()];
    const kept = orders.flatMap((order) => sorted(all, order, KEPT));
    this.best = new Map(kept.map((figures) => [figures.name, figures]));
  }
}

/** The table on a terminal. */
class Live {
  private readonly board: Board;
  private readonly screen: Screen;
  private order: Order;
  private isOver = false;

  constructor(board: Board, order: Order, input: NodeJS.ReadStream, output: NodeJS.WriteStream) {
    this.board = board;
    this.order = order;
    this.screen = new Screen(input, output, this.key, this.draw);
  }

  async run(): Promise<Ending> {
    const { screen } = this;
    try {
      return (await Promise.race([screen.ended, this.look(), this.refresh()])) as Ending;
    } finally {
      this.isOver = true;
      await screen.close();
    }
  }

  /** Looks at all dispensers, in rounds, until the end. */
  private async look(): Promise<void> {
    while (!this.isOver) {
      const beganMs = performance.now();
      await this.board.round(() => this.isOver);
      await Bun.sleep(Math.max(beganMs + ROUND_MS_MIN - performance.now(), 0));
    }
  }

  private async refresh(): Promise<void> {
    while (!this.isOver) {
      const beganMs = performance.now();
      await this.board.refresh();
      this.draw();
      await Bun.sleep(Math.max(beganMs + FRAME_MS - performance.now(), 0));
    }
  }

  private readonly key = (key: string) => {
    const order = { p: "rate", P: "rate", u: "used", U: "used" }[key] as Order | undefined;
    if (order === undefined) return;
    this.order = order;
    this.draw();
  };

  private readonly draw = () => {
    const { width, height } = this.screen;
    const head = header(this.board.overview, this.order, width);
    const keys = "keys: p by rate, u by used percent, q ends";
    const room = Math.max(height - head.length - 3, 0);
    const rows = table(this.board.rows(this.order, room), width);
    this.screen.show([...head, ...rows, "", keys.slice(0, width)]);
  };
}
